// sqlite-whiten for Node and Bun: where the extension lies, and how a connection loads it. index.mjs hands on the same.
"use strict";
const { existsSync } = require("node:fs");
const { join } = require("node:path");

const PACKAGES = { "linux-x64": "sqlite-whiten-linux-x64", "linux-arm64": "sqlite-whiten-linux-arm64" };

/** The path of whiten.so, which SQLite loads. */
function getLoadablePath() {
  const platform = `${process.platform}-${process.arch}`;
  const name = PACKAGES[platform];
  if (name === undefined)
    throw new Error(`sqlite-whiten: the platform is ${platform}, expected one of ${Object.keys(PACKAGES).join(", ")}; elsewhere build whiten from its source`);
  let path;
  try {
    path = require.resolve(`${name}/whiten.so`);
  } catch {
    throw new Error(`sqlite-whiten: the package ${name} is not installed, which is an optional dependency: install sqlite-whiten without --omit=optional, or ${name} beside it`);
  }
  if (path.includes("app.asar/") && existsSync(path.replace("app.asar/", "app.asar.unpacked/")))
    path = path.replace("app.asar/", "app.asar.unpacked/"); // Electron: the loader reads no archive
  return path;
}

/** Loads whiten into a connection of node:sqlite (opened with allowExtension: true), better-sqlite3 or bun:sqlite. */
function load(db) {
  if (typeof db?.loadExtension !== "function")
    throw new TypeError("sqlite-whiten: load takes a database with loadExtension: node:sqlite's, better-sqlite3's or bun:sqlite's");
  db.loadExtension(getLoadablePath());
}

/** A vector as SQLite stores it: the bytes of a Float32Array. Other numbers are refused, since they would be read wrongly. */
function toBlob(vector) {
  if (!(vector instanceof Float32Array))
    throw new TypeError(`sqlite-whiten: a vector is ${vector?.constructor?.name ?? typeof vector}, expected Float32Array: Float32Array.from(vector) makes one`);
  return new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
}

/** The folder of the SQL scripts: fit.sql, apply.sql, index.sql ... */
const sqlFolder = join(__dirname, "sql");

module.exports = { getLoadablePath, load, toBlob, sqlFolder };

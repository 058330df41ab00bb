// A peer that npm has, for index_peers.py: makes its index of the rows of a file the first time, then answers a line of
// stdin after the other. The argument is JSON: kind (usearch or libsql), rows and queries (files of float32), dim, and
// index (a file). First line out: {"build": seconds}. A line in: {"n": effort, "i": query}; its line out:
// {"ids": [...], "seconds": ...}. ids count from 1.
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const { kind, rows, queries, dim, index, peers } = JSON.parse(process.argv[2]);
const require = createRequire(join(peers, "node_modules/"));
const clock = process.env.BENCH_CPU
  ? () => { const used = process.cpuUsage(); return (used.user + used.system) / 1e6; }
  : () => Number(process.hrtime.bigint()) / 1e9;
const vectors = (path) => {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
};
const row = (all, i) => all.subarray(i * dim, (i + 1) * dim);
const q = vectors(queries);

// Runs make(file) unless the index is there; the seconds that it took are kept beside it.
function build(make) {
  const noted = `${index}.json`;
  if (!existsSync(noted)) {
    rmSync(index, { force: true });
    const start = clock();
    make(`${index}.partial`);
    writeFileSync(noted, JSON.stringify(clock() - start));
    renameSync(`${index}.partial`, index);
  }
  return JSON.parse(readFileSync(noted, "utf8"));
}

// HNSW in memory, of float32, with the parameters that faiss is given here.
function usearch() {
  const { Index, MetricKind, ScalarKind } = require("usearch");
  const made = (effort) => new Index({ dimensions: dim, metric: MetricKind.IP, quantization: ScalarKind.F32,
    connectivity: 32, expansion_add: 128, expansion_search: effort, multi: false });
  const seconds = build((file) => {
    const x = vectors(rows), graph = made(64);
    for (let i = 0; i < x.length / dim; i++) graph.add(BigInt(i + 1), row(x, i));
    graph.save(file);
  });
  let graph, effort = 0;
  const search = (n, i) => {
    if (n !== effort) (graph = made(n)).load(index), (effort = n);
    const start = clock();
    const found = graph.search(row(q, i), 10, 1);
    return { seconds: clock() - start, ids: Array.from(found.keys, Number) };
  };
  return { seconds, search };
}

// DiskANN in a table of libSQL's, its neighbours in 8 bits, its best compared again by their vectors.
function libsql() {
  const Database = require("libsql");
  const blob = (x) => Buffer.from(x.slice().buffer);
  const seconds = build((file) => {
    rmSync(file, { force: true });
    const db = new Database(file), x = vectors(rows);
    db.exec(`CREATE TABLE t(id INTEGER PRIMARY KEY, v F32_BLOB(${dim}));
      CREATE INDEX t_v ON t(libsql_vector_idx(v, 'metric=cosine', 'compress_neighbors=float8', 'max_neighbors=32'))`);
    const insert = db.prepare("INSERT INTO t(v) VALUES (?)");
    db.exec("BEGIN");
    for (let i = 0; i < x.length / dim; i++) insert.run([blob(row(x, i))]);
    db.exec("COMMIT");
    db.close();
  });
  const db = new Database(index);
  const select = db.prepare(`SELECT t.id AS id FROM vector_top_k('t_v', ?, ?) AS c JOIN t ON t.id = c.id
    ORDER BY vector_distance_cos(t.v, ?) LIMIT 10`);
  const search = (n, i) => {
    const query = blob(row(q, i)), start = clock();
    const found = select.all([query, n, query]);
    return { seconds: clock() - start, ids: found.map(({ id }) => id) };
  };
  return { seconds, search };
}

const { seconds, search } = { usearch, libsql }[kind]();
console.log(JSON.stringify({ build: seconds }));
for await (const line of createInterface({ input: process.stdin })) {
  const { n, i } = JSON.parse(line);
  console.log(JSON.stringify(search(n, i)));
}

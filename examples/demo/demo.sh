#!/bin/sh
# make demo: pool, whiten, measure and search embeddings, all in SQL. This file only checks what it was given
# and hands it to the sqlite3 shell; the program is demo.sql and the files beside it that it names.
#
#   examples/demo/demo.sh [EXTENSION]     from the root of the repository; EXTENSION defaults to ./whiten
#
# Variables, all optional:
#   QUERY   a piece of a text to search for: of examples/demo/queries.tsv, or of the corpus; with DATA also a row number
#   VECTORS encoder or words: which embeddings of the shipped corpus are shown step by step; encoder unless given
#   DIM     how many numbers a vector of DATA has; without DATA, a vector that is pooled: 64 unless given
#   DATA    a file of raw little-endian float32 vectors, row after row, instead of the shipped corpus
#   PAIRS   for DATA: tab-separated with a header: row_a, row_b, gold. Rows count from 0. Gold that varies is
#           a score of similarity (Spearman is printed); constant, row_b answers row_a (retrieval is printed)
#   LABELS  for DATA: tab-separated with a header: the first column is the row, the last one its text
#   DB      keep the database in this file, which must not exist yet
#   REPORT  where the page goes that shows all this in figures: build/demo.html unless given; REPORT= writes none
set -eu

fail() { echo "demo: $1" >&2; exit 1; }
quote() { printf "'%s'" "$(printf %s "$1" | sed "s/'/''/g")"; }  # as an SQL literal
readable() { if ! [ -f "$2" ] || ! [ -r "$2" ]; then fail "$1 is $2, expected a file that can be read"; fi; }

extension=${1:-./whiten}
data=${DATA:-} dim=${DIM:-} pairs=${PAIRS:-} labels=${LABELS:-} query=${QUERY:-} db=${DB:-} report=${REPORT-build/demo.html}
vectors=${VECTORS:-encoder}

[ -f examples/demo/demo.sql ] ||
  fail "examples/demo/demo.sql is not here, run this from the root of the repository"
command -v sqlite3 >/dev/null || fail "the sqlite3 shell is missing, install it (package sqlite3 or sqlite)"
sqlite3 -init /dev/null :memory: ".load \"$extension\"" >/dev/null 2>&1 ||
  fail "the extension $extension does not load, run make first"

case $dim in
  '') [ -z "$data" ] || fail "DIM is missing, expected how many numbers a vector of $data has"; dim=64 ;;
  *[!0-9]* | ??????* | 0*) fail "DIM is $dim, expected an integer from 2 to 16384" ;;
esac
if [ "$dim" -lt 2 ] || [ "$dim" -gt 16384 ]; then fail "DIM is $dim, expected an integer from 2 to 16384"; fi

if [ -n "$data" ]; then
  readable DATA "$data"
  bytes=$(($(wc -c <"$data")))
  row=$((4 * dim))
  [ $((bytes % row)) -eq 0 ] || fail "DATA has $bytes bytes, expected a multiple of 4 * DIM = $row"
  [ "$bytes" -ge $((2 * row)) ] || fail "DATA has $bytes bytes, expected at least two rows of $row"
  [ "$bytes" -le 1000000000 ] || fail "DATA has $bytes bytes, expected at most 1000000000 (a BLOB's limit)"
  [ -z "$pairs" ] || readable PAIRS "$pairs"
  [ -z "$labels" ] || readable LABELS "$labels"
  load=examples/demo/own_data.sql steps=examples/demo/own_demo.sql
else
  [ -z "$pairs$labels" ] || fail "DATA is missing, PAIRS and LABELS describe the rows of DATA"
  case $vectors in encoder | words) ;; *) fail "VECTORS is $vectors, expected encoder or words" ;; esac
  load=examples/demo/corpus.sql steps=examples/demo/demo.sql
fi

if [ -n "$db" ]; then
  [ ! -e "$db" ] || fail "DB is $db, which exists already, expected the name of a new file"
  [ -d "$(dirname "$db")" ] || fail "DB is $db, expected a name in a folder that exists"
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
run() { sqlite3 -batch -bail -init /dev/null "$folder/demo.db" ".load \"$extension\"" "$@"; }

run "PRAGMA journal_mode = OFF" ".parameter init" \
  "INSERT INTO temp.sqlite_parameters VALUES (':data', $(quote "$data")), (':dim', $dim),
    (':vectors', $(quote "$vectors")), (':pairs', $(quote "$pairs")), (':labels', $(quote "$labels")), (':query', $(quote "$query"))" \
  ".read $load" >/dev/null
complaint=$(run "SELECT message FROM complaint LIMIT 1")
[ -z "$complaint" ] || fail "$complaint"
run ".read $steps"
if [ -n "$report" ]; then
  run ".parameter init" "INSERT INTO temp.sqlite_parameters VALUES ('@file', $(quote "$report"))" ".read examples/demo/report.sql" >/dev/null
  printf '\nREPORT  All of this as a page, to be opened in a browser: %s\n' "$report"
fi
[ -z "$db" ] || mv "$folder/demo.db" "$db"

#!/bin/bash
# More rows than one machine takes: a database file on each, one model for all, an index in each, and a search of all.
#   shards.sh fit K OPTIONS FILE...       moments of each file's documents(embedding), by a worker each; their sum; one model
#                                         of K components, stored in each; an index documents_search in each
#   shards.sh search QUERY N FILE...      the N nearest of all: file, rowid, similarity; QUERY is a file of float32
# WHITEN names the extension (default: the installed one, `whiten`), WORKERS how many work at once (default: one a file).
# Over machines the same steps are three commands by ssh: what travels is 8 d^2 bytes of moments, and one model.
set -eu -o pipefail
export WHITEN=${WHITEN:-whiten} K OPTIONS QUERY N FOLDER # those of a step's own process come from here

fail() { echo "shards: $1" >&2; exit 1; }
quote() { printf "'%s'" "${1//\'/\'\'}"; }
# sql FILE STATEMENT: the first error ends it; the order of columns is tab-separated
sql() {
  sqlite3 -batch -bail -tabs -init /dev/null -cmd ".timeout 60000" -cmd ".load $(quote "$WHITEN")" "$1" "$2"
}
# each STEP FILE...: as many at once as WORKERS; fails if one does
each() {
  local step=$1
  shift
  printf '%s\0' "$@" | xargs -0 -n 1 -P "${WORKERS:-$#}" "$BASH" "$0" --step "$step"
}

# Named so that no two files write to the same one.
moments() {
  local name
  # shellcheck disable=SC2012 # a number is read, not a name
  name=$(ls -diL "$1" | cksum | tr ' ' -)-$(printf %s "$1" | cksum | tr ' ' -)
  sql "$1" "SELECT writefile($(quote "$FOLDER/$name.stats"), whiten_stats(embedding)) FROM documents HAVING count(embedding) > 0" > /dev/null
}

model() {
  sql :memory: "SELECT writefile($(quote "$FOLDER/model"), whiten_solve(whiten_merge(data), $K, $(quote "$OPTIONS")))
    FROM (SELECT data FROM fsdir($(quote "$FOLDER")) WHERE name LIKE '%.stats' ORDER BY name)" > /dev/null
}

index() {
  sql "$1" "BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS whitening (name TEXT PRIMARY KEY, model BLOB);
    INSERT OR REPLACE INTO whitening VALUES ('shards', readfile($(quote "$FOLDER/model")));
    DROP TABLE IF EXISTS documents_search;
    CREATE VIRTUAL TABLE documents_search USING whiten_index(content = documents, column = embedding, model = shards);
    COMMIT"
}

search() {
  sql "$1" "SELECT $(quote "$1"), rowid, printf('%!.17g', similarity) FROM documents_search(readfile($(quote "$QUERY"))) LIMIT $N"
}

if [ "${1:-}" = --step ]; then
  "$2" "$3"
  exit
fi
[ $# -ge 4 ] || fail "$# arguments, expected fit K OPTIONS FILE... or search QUERY N FILE..."
command=$1 first=$2 second=$3
shift 3
for file in "$@"; do [ -f "$file" ] || fail "there is no file $file"; done
for ((i = 1; i <= $#; i++)); do
  for ((j = 1; j < i; j++)); do [ ! "${!i}" -ef "${!j}" ] || fail "${!i} is the file ${!j}, expected each once"; done
done
case $command in
  fit)
    case $first in '' | *[!0-9]*) fail "K is '$first', expected a number of components" ;; esac
    K=$first OPTIONS=$second FOLDER=$(mktemp -d)
    trap 'rm -rf "$FOLDER"' EXIT
    each moments "$@"
    model
    each index "$@"
    sql :memory: "SELECT info ->> 'n' || ' rows, model ' || (info ->> 'hash') FROM (SELECT whiten_info(readfile($(quote "$FOLDER/model"))) AS info)"
    ;;
  search)
    case $second in '' | *[!0-9]*) fail "N is '$second', expected a number of rows" ;; esac
    [ -f "$first" ] || fail "there is no file $first"
    QUERY=$first N=$second
    each search "$@" | LC_ALL=C sort -t "$(printf '\t')" -k 3,3gr -k 1,2 | head -n "$N"
    ;;
  *) fail "the command is '$command', expected fit or search" ;;
esac

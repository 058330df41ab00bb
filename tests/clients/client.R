# R's RSQLite: Rscript client.R EXTENSION MODEL-FILE. What every client here does and prints: see test_clients.py.
suppressPackageStartupMessages(library(DBI))
arguments <- commandArgs(trailingOnly = TRUE)
db <- dbConnect(RSQLite::SQLite(), ":memory:", loadable.extensions = TRUE)
model <- readBin(arguments[2], "raw", file.size(arguments[2]))
hex <- function(bytes) paste(format(as.hexmode(as.integer(bytes)), width = 2), collapse = "")
show <- function(name, rows) for (i in seq_len(nrow(rows)))
  cat(name, " ", rows[i, 1], " ", hex(writeBin(rows[i, 2], raw(), endian = "big")), "\n", sep = "")
blob <- function(bytes) list(bytes) # raw vectors are bound as BLOBs in a list

invisible(dbGetQuery(db, "SELECT load_extension(?)", params = list(arguments[1])))
invisible(dbExecute(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB, white BLOB)"))
x <- 1
for (row in 1:50) {
  v <- numeric(8)
  for (i in 1:8) {
    x <- (x * 48271) %% 2147483647
    v[i] <- (x %% 2001 - 1000) / 256
  }
  bytes <- writeBin(v, raw(), size = 4, endian = "little")
  invisible(dbExecute(db, "INSERT INTO t(v) VALUES (?)", params = list(blob(bytes))))
}

fitted <- dbGetQuery(db, "SELECT whiten_fit(v, ?) AS model FROM t", params = list(4L))$model
info <- dbGetQuery(db, "SELECT i ->> 'n', i ->> 'd', i ->> 'k' FROM (SELECT whiten_info(?) AS i)", params = list(fitted))
cat("fit", unlist(info), "\n", sep = " ")
invisible(dbExecute(db, "UPDATE t SET white = whiten_apply(?, v)", params = list(blob(model))))
white <- dbGetQuery(db, "SELECT id, white FROM t ORDER BY id")
for (i in seq_len(nrow(white))) cat("apply ", white$id[i], " ", hex(white$white[[i]]), "\n", sep = "")
invisible(dbExecute(db, "CREATE VIRTUAL TABLE s USING whiten_index(content = t, column = v, k = 4)"))
query <- dbGetQuery(db, "SELECT white, v FROM t WHERE id = 7")
nearest <- "SELECT rowid, similarity FROM s(?) LIMIT 5"
show("search", dbGetQuery(db, "SELECT id, cosine_sim(white, ?) AS s FROM t ORDER BY s DESC, id LIMIT 5", params = list(query$white)))
show("topk", dbGetQuery(db, "SELECT rowid, similarity FROM cosine_topk('t', 'white', ?, 5)", params = list(query$white)))
show("index", dbGetQuery(db, nearest, params = list(query$v)))
microseconds <- system.time(for (i in 1:200) dbGetQuery(db, nearest, params = list(query$v)))[["elapsed"]] / 200 * 1e6
tryCatch(dbGetQuery(db, "SELECT whiten_fit(v, ?) FROM t", params = list(9L)), error = function(e) cat("error", conditionMessage(e), "\n"))
cat("# SQLite ", dbGetQuery(db, "SELECT sqlite_version()")[[1]], ", ", round(microseconds), " us\n", sep = "")
dbDisconnect(db)

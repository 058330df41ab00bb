# Tcl's sqlite3: client.tcl EXTENSION MODEL-FILE. What every client here does and prints: see test_clients.py.
package require sqlite3

lassign $argv extension model_file
sqlite3 db :memory:
db enable_load_extension 1
db eval {SELECT load_extension($extension)}
db enable_load_extension 0
set file [open $model_file rb]
set model [read $file]
close $file

# @name binds the bytes as a BLOB, $name might bind them as TEXT.
db eval {CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB, white BLOB)}
set x 1
for {set row 0} {$row < 50} {incr row} {
  set numbers {}
  for {set i 0} {$i < 8} {incr i} {
    set x [expr {$x * 48271 % 2147483647}]
    lappend numbers [expr {($x % 2001 - 1000) / 256.0}]
  }
  set v [binary format r8 $numbers]
  db eval {INSERT INTO t(v) VALUES (@v)}
}

set k [expr {int(4)}]
set fitted [db onecolumn {SELECT whiten_fit(v, $k) FROM t}]
puts "fit [db eval {SELECT i ->> 'n', i ->> 'd', i ->> 'k' FROM (SELECT whiten_info(@fitted) AS i)}]"
db eval {UPDATE t SET white = whiten_apply(@model, v)}
db eval {SELECT id, white FROM t ORDER BY id} {puts "apply $id [binary encode hex $white]"}
set query [db onecolumn {SELECT white FROM t WHERE id = 7}]
proc show {name id similarity} {puts "$name $id [binary encode hex [binary format Q $similarity]]"}
db eval {SELECT id, cosine_sim(white, @query) AS s FROM t ORDER BY s DESC, id LIMIT 5} {show search $id $s}
db eval {SELECT rowid AS id, similarity AS s FROM cosine_topk('t', 'white', @query, 5)} {show topk $id $s}
db eval {CREATE VIRTUAL TABLE s USING whiten_index(content = t, column = v, k = 4)}
set v [db onecolumn {SELECT v FROM t WHERE id = 7}]
db eval {SELECT rowid AS id, similarity AS s FROM s(@v) LIMIT 5} {show index $id $s}
set start [clock microseconds]
for {set i 0} {$i < 200} {incr i} {db eval {SELECT rowid AS id, similarity AS s FROM s(@v) LIMIT 5} {}}
set microseconds [expr {([clock microseconds] - $start) / 200}]
set k [expr {int(9)}]
catch {db eval {SELECT whiten_fit(v, $k) FROM t}} message
puts "error $message"
puts "# SQLite [db version], $microseconds us"
db close

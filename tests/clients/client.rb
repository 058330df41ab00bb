# Ruby's sqlite3: client.rb EXTENSION MODEL-FILE. What every client here does and prints: see test_clients.py.
require "sqlite3"

extension, model_file = ARGV
db = SQLite3::Database.new(":memory:")
db.enable_load_extension(1)
db.load_extension(extension)
db.enable_load_extension(0)
model = SQLite3::Blob.new(File.binread(model_file)) # a plain string would be bound as TEXT

db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB, white BLOB)")
x = 1
50.times do
  v = Array.new(8) { x = x * 48271 % 2147483647; (x % 2001 - 1000) / 256.0 }
  db.execute("INSERT INTO t(v) VALUES (?)", [SQLite3::Blob.new(v.pack("e8"))])
end

fitted = SQLite3::Blob.new(db.get_first_value("SELECT whiten_fit(v, ?) FROM t", [4]))
info = db.get_first_row("SELECT i ->> 'n', i ->> 'd', i ->> 'k' FROM (SELECT whiten_info(?) AS i)", [fitted])
puts "fit #{info.join(' ')}"
db.execute("UPDATE t SET white = whiten_apply(?, v)", [model])
db.execute("SELECT id, white FROM t ORDER BY id") { |id, white| puts "apply #{id} #{white.unpack1('H*')}" }
query = SQLite3::Blob.new(db.get_first_value("SELECT white FROM t WHERE id = 7"))
{ "search" => "SELECT id, cosine_sim(white, ?) AS s FROM t ORDER BY s DESC, id LIMIT 5",
  "topk" => "SELECT rowid, similarity FROM cosine_topk('t', 'white', ?, 5)" }.each do |name, sql|
  db.execute(sql, [query]) { |id, similarity| puts "#{name} #{id} #{[similarity].pack('G').unpack1('H*')}" }
end
db.execute("CREATE VIRTUAL TABLE s USING whiten_index(content = t, column = v, k = 4)")
v = SQLite3::Blob.new(db.get_first_value("SELECT v FROM t WHERE id = 7"))
nearest = "SELECT rowid, similarity FROM s(?) LIMIT 5"
db.execute(nearest, [v]) { |id, similarity| puts "index #{id} #{[similarity].pack('G').unpack1('H*')}" }
start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
200.times { db.execute(nearest, [v]) }
microseconds = (Process.clock_gettime(Process::CLOCK_MONOTONIC) - start) / 200 * 1e6
begin
  db.execute("SELECT whiten_fit(v, ?) FROM t", [9])
rescue SQLite3::SQLException => e
  puts "error #{e.message}"
end
puts "# SQLite #{db.get_first_value('SELECT sqlite_version()')}, #{microseconds.round} us"
db.close

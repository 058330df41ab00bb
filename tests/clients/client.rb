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

fitted = SQLite3::Blob.new(db.get_first_value("SELECT whiten_fit(v, 4) FROM t"))
info = db.get_first_row("SELECT i ->> 'n', i ->> 'd', i ->> 'k' FROM (SELECT whiten_info(?) AS i)", [fitted])
puts "fit #{info.join(' ')}"
db.execute("UPDATE t SET white = whiten_apply(?, v)", [model])
db.execute("SELECT id, white FROM t ORDER BY id") { |id, white| puts "apply #{id} #{white.unpack1('H*')}" }
query = SQLite3::Blob.new(db.get_first_value("SELECT white FROM t WHERE id = 7"))
{ "search" => "SELECT id, cosine_sim(white, ?) AS s FROM t ORDER BY s DESC, id LIMIT 5",
  "topk" => "SELECT rowid, similarity FROM cosine_topk('t', 'white', ?, 5)" }.each do |name, sql|
  db.execute(sql, [query]) { |id, similarity| puts "#{name} #{id} #{[similarity].pack('G').unpack1('H*')}" }
end
puts "# SQLite #{db.get_first_value('SELECT sqlite_version()')}"
db.close

<?php
// PHP's SQLite3: client.php EXTENSION MODEL-FILE, with -d sqlite3.extension_dir=FOLDER, the only place from which
// PHP loads. What every client here does and prints: see test_clients.py.
[, $extension, $model_file] = $argv;
$db = new SQLite3(":memory:");
$db->enableExceptions(true);
$db->loadExtension(basename($extension));
$model = file_get_contents($model_file);

function run(string $sql, string|int|null $value = null): array {
  global $db;
  $statement = $db->prepare($sql);
  if ($value !== null) $statement->bindValue(1, $value, is_int($value) ? SQLITE3_INTEGER : SQLITE3_BLOB);
  $result = $statement->execute();
  $rows = [];
  while ($result->numColumns() > 0 && $row = $result->fetchArray(SQLITE3_NUM)) $rows[] = $row;
  return $rows;
}

$db->exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB, white BLOB)");
for ($row = 0, $x = 1; $row < 50; $row++) {
  $v = [];
  for ($i = 0; $i < 8; $i++) {
    $x = $x * 48271 % 2147483647;
    $v[] = ($x % 2001 - 1000) / 256;
  }
  // A statement that writes is run as soon as it is asked for its columns' rows: exec with the BLOB as hexadecimal.
  $db->exec("INSERT INTO t(v) VALUES (x'" . bin2hex(pack("g*", ...$v)) . "')");
}

$fitted = run("SELECT whiten_fit(v, ?) FROM t", 4)[0][0];
$info = run("SELECT i ->> 'n', i ->> 'd', i ->> 'k' FROM (SELECT whiten_info(?) AS i)", $fitted)[0];
echo "fit ", implode(" ", $info), "\n";
run("UPDATE t SET white = whiten_apply(?, v)", $model);
foreach (run("SELECT id, white FROM t ORDER BY id") as [$id, $white]) echo "apply $id ", bin2hex($white), "\n";
$query = run("SELECT white FROM t WHERE id = 7")[0][0];
foreach ([
  "search" => "SELECT id, cosine_sim(white, ?) AS s FROM t ORDER BY s DESC, id LIMIT 5",
  "topk" => "SELECT rowid, similarity FROM cosine_topk('t', 'white', ?, 5)",
] as $name => $sql)
  foreach (run($sql, $query) as [$id, $similarity]) echo "$name $id ", bin2hex(pack("E", $similarity)), "\n";
$db->exec("CREATE VIRTUAL TABLE s USING whiten_index(content = t, column = v, k = 4)");
$v = run("SELECT v FROM t WHERE id = 7")[0][0];
$nearest = "SELECT rowid, similarity FROM s(?) LIMIT 5";
foreach (run($nearest, $v) as [$id, $similarity]) echo "index $id ", bin2hex(pack("E", $similarity)), "\n";
$start = hrtime(true);
for ($i = 0; $i < 200; $i++) run($nearest, $v);
$microseconds = round((hrtime(true) - $start) / 200e3);
try {
  run("SELECT whiten_fit(v, ?) FROM t", 9);
} catch (Exception $e) {
  echo "error ", $e->getMessage(), "\n";
}
echo "# SQLite ", SQLite3::version()["versionString"], ", $microseconds us\n";
$db->close();

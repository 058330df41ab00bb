# Perl's DBD::SQLite: client.pl EXTENSION MODEL-FILE. What every client here does and prints: see test_clients.py.
use strict;
use warnings;
use DBI qw(:sql_types);

my ($extension, $model_file) = @ARGV;
my $db = DBI->connect("dbi:SQLite::memory:", "", "", { RaiseError => 1, PrintError => 0 });
$db->sqlite_enable_load_extension(1);
$db->sqlite_load_extension($extension);
$db->sqlite_enable_load_extension(0);
open(my $file, "<:raw", $model_file) or die "$model_file: $!";
my $model = do { local $/; <$file> };

# A string is bound as TEXT unless it is said to be a BLOB.
sub run {
  my ($sql, @blobs) = @_;
  my $statement = $db->prepare($sql);
  $statement->bind_param($_ + 1, $blobs[$_], SQL_BLOB) for 0 .. $#blobs;
  $statement->execute;
  return $statement->{NUM_OF_FIELDS} ? @{ $statement->fetchall_arrayref } : ();
}

run("CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB, white BLOB)");
my $x = 1;
for (1 .. 50) {
  my @v = map { $x = $x * 48271 % 2147483647; ($x % 2001 - 1000) / 256 } 1 .. 8;
  run("INSERT INTO t(v) VALUES (?)", pack("f<8", @v));
}

my ($fitted) = run("SELECT whiten_fit(v, 4) FROM t");
my ($info) = run("SELECT i ->> 'n', i ->> 'd', i ->> 'k' FROM (SELECT whiten_info(?) AS i)", $fitted->[0]);
print "fit @$info\n";
run("UPDATE t SET white = whiten_apply(?, v)", $model);
printf "apply %d %s\n", $_->[0], unpack("H*", $_->[1]) for run("SELECT id, white FROM t ORDER BY id");
my ($query) = run("SELECT white FROM t WHERE id = 7");
printf "search %d %s\n", $_->[0], unpack("H*", pack("d>", $_->[1]))
  for run("SELECT id, cosine_sim(white, ?) AS s FROM t ORDER BY s DESC, id LIMIT 5", $query->[0]);
printf "topk %d %s\n", $_->[0], unpack("H*", pack("d>", $_->[1]))
  for run("SELECT rowid, similarity FROM cosine_topk('t', 'white', ?, 5)", $query->[0]);
print "# SQLite $db->{sqlite_version}\n";
$db->disconnect;

# Perl's DBD::SQLite: client.pl EXTENSION MODEL-FILE. What every client here does and prints: see test_clients.py.
use strict;
use warnings;
use DBI qw(:sql_types);
use Time::HiRes qw(time);

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

# An integer is said to be one, too.
sub fit {
  my $statement = $db->prepare("SELECT whiten_fit(v, ?) FROM t");
  $statement->bind_param(1, shift, SQL_INTEGER);
  $statement->execute;
  return $statement->fetchrow_array;
}
my ($fitted) = fit(4);
my ($info) = run("SELECT i ->> 'n', i ->> 'd', i ->> 'k' FROM (SELECT whiten_info(?) AS i)", $fitted);
print "fit @$info\n";
run("UPDATE t SET white = whiten_apply(?, v)", $model);
printf "apply %d %s\n", $_->[0], unpack("H*", $_->[1]) for run("SELECT id, white FROM t ORDER BY id");
my ($query) = run("SELECT white FROM t WHERE id = 7");
printf "search %d %s\n", $_->[0], unpack("H*", pack("d>", $_->[1]))
  for run("SELECT id, cosine_sim(white, ?) AS s FROM t ORDER BY s DESC, id LIMIT 5", $query->[0]);
printf "topk %d %s\n", $_->[0], unpack("H*", pack("d>", $_->[1]))
  for run("SELECT rowid, similarity FROM cosine_topk('t', 'white', ?, 5)", $query->[0]);
run("CREATE VIRTUAL TABLE s USING whiten_index(content = t, column = v, k = 4)");
my ($v) = run("SELECT v FROM t WHERE id = 7");
my $nearest = "SELECT rowid, similarity FROM s(?) LIMIT 5";
printf "index %d %s\n", $_->[0], unpack("H*", pack("d>", $_->[1])) for run($nearest, $v->[0]);
my $start = time;
run($nearest, $v->[0]) for 1 .. 200;
my $microseconds = (time - $start) / 200 * 1e6;
eval { fit(9) };
print "error $DBI::errstr\n";
printf "# SQLite %s, %.0f us\n", $db->{sqlite_version}, $microseconds;
$db->disconnect;

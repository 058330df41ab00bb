// Java's xerial driver: Client.java EXTENSION MODEL-FILE. What every client here does and prints: see test_clients.py.
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.util.HexFormat;
import java.util.Properties;

public class Client {
  static Connection db;

  static PreparedStatement prepare(String sql, Object... values) throws Exception {
    PreparedStatement statement = db.prepareStatement(sql);
    for (int i = 0; i < values.length; i++) {
      if (values[i] instanceof byte[]) statement.setBytes(i + 1, (byte[]) values[i]);
      else statement.setObject(i + 1, values[i]);
    }
    return statement;
  }

  static void run(String sql, Object... values) throws Exception {
    try (PreparedStatement statement = prepare(sql, values)) {
      statement.execute();
    }
  }

  static byte[] blob(String sql, Object... values) throws Exception {
    try (PreparedStatement statement = prepare(sql, values); ResultSet rows = statement.executeQuery()) {
      rows.next();
      return rows.getBytes(1);
    }
  }

  static void search(String name, String sql, byte[] query) throws Exception {
    try (PreparedStatement statement = prepare(sql, query); ResultSet rows = statement.executeQuery()) {
      while (rows.next())
        System.out.printf("%s %d %016x%n", name, rows.getLong(1), Double.doubleToLongBits(rows.getDouble(2)));
    }
  }

  public static void main(String[] args) throws Exception {
    Properties settings = new Properties();
    settings.setProperty("enable_load_extension", "true");
    db = DriverManager.getConnection("jdbc:sqlite::memory:", settings);
    run("SELECT load_extension(?)", args[0]);
    byte[] model = Files.readAllBytes(Path.of(args[1]));

    run("CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB, white BLOB)");
    long x = 1;
    for (int row = 0; row < 50; row++) {
      ByteBuffer v = ByteBuffer.allocate(32).order(ByteOrder.LITTLE_ENDIAN);
      for (int i = 0; i < 8; i++) {
        x = x * 48271 % 2147483647;
        v.putFloat((x % 2001 - 1000) / 256f);
      }
      run("INSERT INTO t(v) VALUES (?)", v.array());
    }

    byte[] fitted = blob("SELECT whiten_fit(v, ?) FROM t", 4);
    String keys = "SELECT i ->> 'n', i ->> 'd', i ->> 'k' FROM (SELECT whiten_info(?) AS i)";
    try (PreparedStatement statement = prepare(keys, fitted); ResultSet rows = statement.executeQuery()) {
      rows.next();
      System.out.printf("fit %d %d %d%n", rows.getInt(1), rows.getInt(2), rows.getInt(3));
    }
    run("UPDATE t SET white = whiten_apply(?, v)", model);
    try (PreparedStatement statement = prepare("SELECT id, white FROM t ORDER BY id");
        ResultSet rows = statement.executeQuery()) {
      while (rows.next())
        System.out.printf("apply %d %s%n", rows.getLong(1), HexFormat.of().formatHex(rows.getBytes(2)));
    }
    byte[] query = blob("SELECT white FROM t WHERE id = 7");
    search("search", "SELECT id, cosine_sim(white, ?) AS s FROM t ORDER BY s DESC, id LIMIT 5", query);
    search("topk", "SELECT rowid, similarity FROM cosine_topk('t', 'white', ?, 5)", query);
    run("CREATE VIRTUAL TABLE s USING whiten_index(content = t, column = v, k = 4)");
    byte[] v = blob("SELECT v FROM t WHERE id = 7");
    String nearest = "SELECT rowid, similarity FROM s(?) LIMIT 5";
    search("index", nearest, v);
    long start = System.nanoTime();
    for (int i = 0; i < 200; i++) {
      try (PreparedStatement statement = prepare(nearest, v); ResultSet rows = statement.executeQuery()) {
        while (rows.next()) {}
      }
    }
    long microseconds = (System.nanoTime() - start) / 200_000;
    try {
      blob("SELECT whiten_fit(v, ?) FROM t", 9);
    } catch (java.sql.SQLException e) {
      System.out.println("error " + e.getMessage());
    }
    System.out.println("# SQLite " + db.getMetaData().getDatabaseProductVersion() + ", " + microseconds + " us");
    db.close();
  }
}

// Go's mattn/go-sqlite3: client EXTENSION MODEL-FILE. What every client here does and prints: see test_clients.py.
package main

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"time"

	sqlite3 "github.com/mattn/go-sqlite3"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	sql.Register("whiten", &sqlite3.SQLiteDriver{Extensions: []string{os.Args[1]}})
	model, err := os.ReadFile(os.Args[2])
	check(err)
	db, err := sql.Open("whiten", ":memory:")
	check(err)
	db.SetMaxOpenConns(1) // each connection would have a :memory: of its own

	run := func(statement string, args ...interface{}) {
		_, err := db.Exec(statement, args...)
		check(err)
	}
	run("CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB, white BLOB)")
	x := int64(1)
	for row := 0; row < 50; row++ {
		var v [8]float32
		for i := range v {
			x = x * 48271 % 2147483647
			v[i] = float32(x%2001-1000) / 256
		}
		var blob bytes.Buffer
		check(binary.Write(&blob, binary.LittleEndian, v))
		run("INSERT INTO t(v) VALUES (?)", blob.Bytes())
	}

	var fitted, white, v []byte
	var n, d, k int
	check(db.QueryRow("SELECT whiten_fit(v, ?) FROM t", 4).Scan(&fitted))
	check(db.QueryRow("SELECT i ->> 'n', i ->> 'd', i ->> 'k' FROM (SELECT whiten_info(?) AS i)", fitted).Scan(&n, &d, &k))
	fmt.Println("fit", n, d, k)
	run("UPDATE t SET white = whiten_apply(?, v)", model)
	rows, err := db.Query("SELECT id, white FROM t ORDER BY id")
	check(err)
	for rows.Next() {
		var id int
		var white []byte
		check(rows.Scan(&id, &white))
		fmt.Println("apply", id, hex.EncodeToString(white))
	}
	check(rows.Err())
	run("CREATE VIRTUAL TABLE s USING whiten_index(content = t, column = v, k = 4)")
	check(db.QueryRow("SELECT white, v FROM t WHERE id = 7").Scan(&white, &v))
	nearest := "SELECT rowid, similarity FROM s(?) LIMIT 5"
	for _, search := range []struct {
		name, sql string
		query     []byte
	}{
		{"search", "SELECT id, cosine_sim(white, ?) AS s FROM t ORDER BY s DESC, id LIMIT 5", white},
		{"topk", "SELECT rowid, similarity FROM cosine_topk('t', 'white', ?, 5)", white},
		{"index", nearest, v},
	} {
		rows, err := db.Query(search.sql, search.query)
		check(err)
		for rows.Next() {
			var id int
			var similarity float64
			check(rows.Scan(&id, &similarity))
			fmt.Printf("%s %d %016x\n", search.name, id, math.Float64bits(similarity))
		}
		check(rows.Err())
	}
	start := time.Now()
	for i := 0; i < 200; i++ {
		rows, err := db.Query(nearest, v)
		check(err)
		for rows.Next() {
		}
		check(rows.Err())
	}
	microseconds := time.Since(start).Microseconds() / 200
	fmt.Println("error", db.QueryRow("SELECT whiten_fit(v, ?) FROM t", 9).Scan(&fitted))
	check(db.Close())
	version, _, _ := sqlite3.Version()
	fmt.Printf("# SQLite %s, %d us\n", version, microseconds)
}

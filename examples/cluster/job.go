package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"
)

// The job is the same for a cluster and for a file: documents, a model, the migration in batches, an index, searches.
const (
	documents = 4000
	dim       = 48
	kept      = 16
	batchRows = 100
	batches   = documents / batchRows
	queries   = 20
)

const schema = `
CREATE TABLE documents (id INTEGER PRIMARY KEY, embedding BLOB);
CREATE TABLE whitening (name TEXT PRIMARY KEY, model BLOB);
CREATE TABLE white (id INTEGER PRIMARY KEY, v BLOB);
CREATE TABLE batch (number INTEGER PRIMARY KEY)`

// limit is how long an attempt may take, patience how long there is another while there is no leader.
const (
	limit    = 3 * time.Second
	patience = 60 * time.Second
)

// random is the hash of a counter (splitmix64), as a number between -1 and 1.
func random(x uint64) float64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return float64((x^x>>31)>>11)/(1<<52) - 1
}

// embedding is the vector of a document: one of 40 topics and some noise, in a narrow cone, as little-endian float32.
func embedding(id int) []byte {
	vector := make([]byte, 4*dim)
	for i := 0; i < dim; i++ {
		topic := random(uint64(id%40*dim + i))
		noise := random(uint64(1<<32 + id*dim + i))
		value := float32(2 + (topic+noise/2)/float64(1+i))
		binary.LittleEndian.PutUint32(vector[4*i:], math.Float32bits(value))
	}
	return vector
}

// retry runs a step until it succeeds. A step is told which attempt it is, and must stand being repeated.
func retry(step func(ctx context.Context, attempt int) error) error {
	deadline := time.Now().Add(patience)
	for attempt := 0; ; attempt++ {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		err := step(ctx, attempt)
		cancel()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// within runs statements in one transaction. Tx.Commit would wait for a leader that is cut off for as long as TCP does, so
// COMMIT is a statement with the context's deadline; a connection on which something failed is not used again.
func within(ctx context.Context, db *sql.DB, run func(conn *sql.Conn) error) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.ExecContext(ctx, "BEGIN")
	if err == nil {
		err = run(conn)
	}
	if err == nil {
		_, err = conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		conn.Raw(func(interface{}) error { return driver.ErrBadConn })
	}
	return err
}

// prepare makes the tables, the documents and the model.
func prepare(ctx context.Context, db *sql.DB) error {
	for _, statement := range strings.Split(schema, ";") {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	for first := 1; first <= documents; first += 100 {
		values, arguments := []string{}, []interface{}{}
		for id := first; id < first+100; id++ {
			values = append(values, "(?, ?)")
			arguments = append(arguments, int64(id), embedding(id))
		}
		insert := "INSERT INTO documents VALUES " + strings.Join(values, ", ")
		if _, err := db.ExecContext(ctx, insert, arguments...); err != nil {
			return err
		}
	}
	fit := `INSERT INTO whitening SELECT 'docs', whiten_fit(embedding, ?, '{"ridge": 0.1}') FROM documents`
	_, err := db.ExecContext(ctx, fit, int64(kept))
	return err
}

// writeBatch whitens a batch of documents. Its number is in the same transaction, so that it is there if, and only if,
// its rows are. Twice it cannot be there: whichever of two attempts comes second, also one that an earlier leader had on
// its way for long, fails with all it wrote.
func writeBatch(ctx context.Context, db *sql.DB, number int) error {
	return within(ctx, db, func(conn *sql.Conn) error {
		if _, err := conn.ExecContext(ctx, "INSERT INTO batch VALUES (?)", int64(number)); err != nil {
			return err
		}
		_, err := conn.ExecContext(ctx, `INSERT INTO white
			SELECT id, whiten_apply((SELECT whiten_model(model) FROM whitening WHERE name = 'docs'), embedding)
			FROM documents WHERE id > ? AND id <= ?`, int64(number*batchRows), int64((number+1)*batchRows))
		return err
	})
}

// hasBatch tells whether an attempt whose answer was lost has been committed. Should that come later, the next attempt
// fails, and the one after it finds the number.
func hasBatch(ctx context.Context, db *sql.DB, number int) (bool, error) {
	var found bool
	err := db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM batch WHERE number = ?)", int64(number)).Scan(&found)
	return found, err
}

// migrate whitens all documents. before is called with the number of each batch, lost says whether the answer to an
// attempt at a batch is to be taken for lost.
func migrate(db *sql.DB, before func(number int), lost func(number int) bool) error {
	for number := 0; number < batches; number++ {
		before(number)
		err := retry(func(ctx context.Context, attempt int) error {
			if attempt > 0 {
				if found, err := hasBatch(ctx, db, number); found || err != nil {
					return err
				}
			}
			err := writeBatch(ctx, db, number)
			if err == nil && lost(number) {
				err = context.DeadlineExceeded
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("batch %d: %w", number, err)
		}
	}
	return nil
}

// makeIndex makes the index, unless an attempt whose answer was lost did.
func makeIndex(db *sql.DB) error {
	return retry(func(ctx context.Context, attempt int) error {
		_, err := db.ExecContext(ctx, "CREATE VIRTUAL TABLE IF NOT EXISTS search USING whiten_index(content = documents, column = embedding, model = docs)")
		return err
	})
}

// results are what must be the same wherever the job ran: every vector, the model, what is found.
type results struct {
	rows    int
	vectors string
	model   string
	found   string
}

func read(ctx context.Context, db *sql.DB) (results, error) {
	var r results
	rows, err := db.QueryContext(ctx, "SELECT id, v FROM white ORDER BY id")
	if err != nil {
		return r, err
	}
	defer rows.Close()
	vectors := sha256.New()
	for ; rows.Next(); r.rows++ {
		var id int64
		var v []byte
		if err := rows.Scan(&id, &v); err != nil {
			return r, err
		}
		fmt.Fprintf(vectors, "%d %x\n", id, v)
	}
	if err := rows.Err(); err != nil {
		return r, err
	}
	r.vectors = fmt.Sprintf("%x", vectors.Sum(nil)[:8])
	if err := db.QueryRowContext(ctx, "SELECT whiten_info(model) ->> 'hash' FROM whitening").Scan(&r.model); err != nil {
		return r, err
	}
	r.found, err = find(ctx, db)
	return r, err
}

// find searches for some of the documents by the index and by cosine_topk; rows and the bits of their similarities.
func find(ctx context.Context, db *sql.DB) (string, error) {
	found := sha256.New()
	for _, search := range []string{
		"SELECT rowid, similarity FROM search((SELECT embedding FROM documents WHERE id = ?)) LIMIT 10",
		"SELECT rowid, similarity FROM cosine_topk('white', 'v', (SELECT v FROM white WHERE id = ?), 10)",
	} {
		for query := 1; query <= queries; query++ {
			rows, err := db.QueryContext(ctx, search, int64(query*documents/queries))
			if err != nil {
				return "", err
			}
			for rows.Next() {
				var id int64
				var similarity float64
				if err := rows.Scan(&id, &similarity); err != nil {
					return "", err
				}
				fmt.Fprintf(found, "%d %x\n", id, math.Float64bits(similarity))
			}
			rows.Close()
			if err := rows.Err(); err != nil {
				return "", err
			}
		}
	}
	return fmt.Sprintf("%x", found.Sum(nil)[:8]), nil
}

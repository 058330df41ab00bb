// Whitening in a cluster: three nodes of dqlite, each with the extension linked in. The leader is killed, or cut off, in
// the middle of a migration; another takes over; what comes out must be what one file gives, to the bit.
//
//	cluster run [-seed N] [-runs N] [-cut]     on loopback; with -cut in namespaces, which namespaces.sh makes
//	cluster single [-seed N] [-lose P]         one file, in which a share P of all answers is taken for lost
//	cluster node ID ADDRESS FOLDER             a node, started by run
package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	_ "github.com/mattn/go-sqlite3"
)

func main() {
	if err := command(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func command(arguments []string) error {
	if len(arguments) == 4 && arguments[0] == "node" {
		id, err := strconv.ParseUint(arguments[1], 10, 64)
		if err != nil {
			return err
		}
		return serve(id, arguments[2], arguments[3])
	}
	if len(arguments) == 0 || (arguments[0] != "run" && arguments[0] != "single") {
		return fmt.Errorf("expected run, single or node")
	}
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	seed := flags.Int64("seed", time.Now().UnixNano()%1e6, "of the moments")
	runs := flags.Int("runs", 1, "how many, each with a cluster of its own")
	cut := flags.Bool("cut", false, "cut the leader off instead of killing it")
	lose := flags.Float64("lose", 0, "share of answers that are taken for lost")
	if err := flags.Parse(arguments[1:]); err != nil {
		return err
	}
	if err := registerWhiten(); err != nil {
		return err
	}
	expected, err := single(rand.New(rand.NewSource(*seed)), *lose)
	if err != nil {
		return err
	}
	fmt.Printf("one file: %d rows, vectors %s, model %s, found %s\n", expected.rows, expected.vectors, expected.model, expected.found)
	if arguments[0] == "single" {
		return nil
	}
	var waited []float64
	for i := 0; i < *runs; i++ {
		seconds, err := run(*seed+int64(i), *cut, expected)
		if err != nil {
			return fmt.Errorf("seed %d: %w", *seed+int64(i), err)
		}
		waited = append(waited, seconds)
	}
	sort.Float64s(waited)
	fmt.Printf("%d of %d runs exact; the longest batch, with another leader: median %.2f s, at most %.2f s\n", *runs, *runs,
		waited[len(waited)/2], waited[len(waited)-1])
	return nil
}

// single does the job in one file.
func single(chance *rand.Rand, lose float64) (results, error) {
	folder, err := os.MkdirTemp("", "cluster")
	if err != nil {
		return results{}, err
	}
	defer os.RemoveAll(folder)
	db, err := sql.Open("sqlite3", filepath.Join(folder, "single.db"))
	if err != nil {
		return results{}, err
	}
	defer db.Close()
	ctx := context.Background()
	if err := prepare(ctx, db); err != nil {
		return results{}, err
	}
	if err := migrate(db, func(int) {}, func(int) bool { return chance.Float64() < lose }); err != nil {
		return results{}, err
	}
	if err := makeIndex(db); err != nil {
		return results{}, err
	}
	return read(ctx, db)
}

// failure is a moment at which the leader fails, and what comes of it.
type failure struct {
	c      *cluster
	cut    bool
	number int           // of the batch in which it is set off,
	after  time.Duration // how long before it happens,
	batch  int32         // and which one is being written then
	over   sync.WaitGroup
	node   *node
	err    error

	current int32 // the batch that is being written
}

func (f *failure) start() {
	f.node, f.err = f.c.leader()
	if f.err != nil {
		return
	}
	f.over.Add(1)
	go func() {
		defer f.over.Done()
		time.Sleep(f.after)
		f.batch = atomic.LoadInt32(&f.current)
		if f.cut {
			f.err = link(f.c, f.node, "down")
		} else {
			f.node.kill()
		}
	}()
}

// end brings the node back.
func (f *failure) end() error {
	f.over.Wait()
	if f.err != nil {
		return f.err
	}
	if f.cut {
		return link(f.c, f.node, "up")
	}
	return f.node.start()
}

// link takes a node's link down, or up again.
func link(c *cluster, n *node, state string) error {
	for i := range c.nodes {
		if c.nodes[i] == n {
			return exec.Command("ip", "link", "set", fmt.Sprintf("whiten%d", i+1), state).Run()
		}
	}
	return nil
}

// run does the job in a cluster of its own, and returns the seconds that the longest batch took, which was with a leader
// at its beginning and another one at its end.
func run(seed int64, cut bool, expected results) (float64, error) {
	folder, err := os.MkdirTemp("", "cluster")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(folder)
	c, err := startCluster(folder, cut)
	defer c.stop()
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := prepare(ctx, c.db); err != nil {
		return 0, err
	}
	chance := rand.New(rand.NewSource(seed))
	f := &failure{c: c, cut: cut, number: batches/8 + chance.Intn(batches/2)}
	begun, last := time.Now(), time.Now()
	var longest time.Duration // that a batch took, the one in which the leader failed
	before := func(number int) {
		atomic.StoreInt32(&f.current, int32(number))
		if took := time.Since(last); number > 0 && took > longest {
			longest = took
		}
		switch {
		case number == 0:
			begun = time.Now()
		case number == f.number:
			took := time.Since(begun) / time.Duration(number) // of a batch so far
			f.after = time.Duration(chance.Float64() * float64(took))
			f.start()
		case number == batches-batches/8:
			f.err = f.end()
		}
		last = time.Now()
	}
	err = migrate(c.db, before, func(int) bool { return false })
	f.over.Wait()
	if err != nil {
		return 0, err
	}
	if f.err != nil {
		return 0, f.err
	}
	if err := makeIndex(c.db); err != nil {
		return 0, err
	}
	for i, n := range c.nodes {
		if err := c.lead(n); err != nil {
			return 0, err
		}
		var found results
		err := retry(func(ctx context.Context, attempt int) (err error) {
			found, err = read(ctx, c.db)
			return err
		})
		if err != nil {
			return 0, fmt.Errorf("node %d: %w", i+1, err)
		}
		if found != expected {
			return 0, fmt.Errorf("node %d has %v, one file %v", i+1, found, expected)
		}
	}
	fmt.Printf("seed %d: leader %s in batch %d of %d, which took %.2f s; all %d nodes exact\n", seed,
		map[bool]string{false: "killed", true: "cut off"}[cut], f.batch+1, batches, longest.Seconds(), size)
	return longest.Seconds(), nil
}

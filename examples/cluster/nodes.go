package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/canonical/go-dqlite"
	"github.com/canonical/go-dqlite/client"
	"github.com/canonical/go-dqlite/driver"
)

const size = 3

// latency is what dqlite takes for the network's; it waits for fifteen times as long before it elects another leader.
const latency = 20 * time.Millisecond

// serve is a node of the cluster: a process that ends with its standard input.
func serve(id uint64, address, folder string) error {
	if err := registerWhiten(); err != nil {
		return err
	}
	node, err := dqlite.New(id, address, folder, dqlite.WithBindAddress(address), dqlite.WithNetworkLatency(latency))
	if err != nil {
		return err
	}
	if err := node.Start(); err != nil {
		return err
	}
	fmt.Println("started")
	io.Copy(io.Discard, os.Stdin)
	return node.Close()
}

type node struct {
	id      uint64
	address string
	folder  string
	prefix  []string // what starts it in its namespace
	process *exec.Cmd
	stdin   io.Closer
}

func (n *node) start() error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	command := append(append([]string{}, n.prefix...), program, "node", strconv.FormatUint(n.id, 10), n.address, n.folder)
	n.process = exec.Command(command[0], command[1:]...)
	n.process.Stderr = os.Stderr
	input, err := n.process.StdinPipe()
	if err != nil {
		return err
	}
	output, err := n.process.StdoutPipe()
	if err != nil {
		return err
	}
	if err := n.process.Start(); err != nil {
		return err
	}
	n.stdin = input
	var said string
	if _, err := fmt.Fscanln(output, &said); err != nil || said != "started" {
		return fmt.Errorf("node %s did not start: %v", n.address, err)
	}
	return nil
}

func (n *node) kill() {
	if n.process == nil || n.process.Process == nil {
		return
	}
	n.process.Process.Signal(syscall.SIGKILL)
	n.process.Wait()
	n.process = nil
}

// cluster is three nodes, and a connection pool that follows the leader.
type cluster struct {
	nodes []*node
	store client.NodeStore
	db    *sql.DB
}

var drivers = 0

// startCluster starts the nodes; where namespaces are used each has one, and an address in it.
func startCluster(folder string, namespaces bool) (*cluster, error) {
	c := &cluster{store: client.NewInmemNodeStore()}
	var infos []client.NodeInfo
	for i := 1; i <= size; i++ {
		n := &node{id: uint64(i), folder: filepath.Join(folder, strconv.Itoa(i))}
		if i == 1 {
			n.id = dqlite.BootstrapID
		}
		if namespaces {
			n.address, n.prefix = fmt.Sprintf("10.99.0.%d:9000", i), []string{"ip", "netns", "exec", fmt.Sprintf("whiten%d", i)}
		} else {
			port, err := freePort()
			if err != nil {
				return c, err
			}
			n.address = fmt.Sprintf("127.0.0.1:%d", port)
		}
		if err := os.MkdirAll(n.folder, 0o755); err != nil {
			return c, err
		}
		c.nodes = append(c.nodes, n)
		if err := n.start(); err != nil {
			return c, err
		}
		infos = append(infos, client.NodeInfo{ID: n.id, Address: n.address, Role: client.Voter})
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.store.Set(ctx, infos[:1]); err != nil {
		return c, err
	}
	leader, err := client.FindLeader(ctx, c.store)
	if err != nil {
		return c, err
	}
	defer leader.Close()
	for _, info := range infos[1:] {
		if err := leader.Add(ctx, info); err != nil {
			return c, err
		}
	}
	if err := c.store.Set(ctx, infos); err != nil {
		return c, err
	}
	d, err := driver.New(c.store, driver.WithAttemptTimeout(time.Second))
	if err != nil {
		return c, err
	}
	drivers++
	name := fmt.Sprintf("dqlite%d", drivers)
	sql.Register(name, d)
	c.db, err = sql.Open(name, "documents.db")
	return c, err
}

func (c *cluster) stop() {
	if c.db != nil {
		c.db.Close()
	}
	for _, n := range c.nodes {
		n.kill()
	}
}

// leader is the node that is the leader now.
func (c *cluster) leader() (*node, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	found, err := client.FindLeader(ctx, c.store)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	info, err := found.Leader(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range c.nodes {
		if info != nil && n.address == info.Address {
			return n, nil
		}
	}
	return nil, fmt.Errorf("the leader is none of the nodes: %v", info)
}

// lead makes a node the leader, which has everything then: only the leader answers statements.
func (c *cluster) lead(n *node) error {
	return retry(func(ctx context.Context, attempt int) error {
		now, err := c.leader()
		if err != nil || now == n {
			return err
		}
		found, err := client.FindLeader(ctx, c.store)
		if err != nil {
			return err
		}
		defer found.Close()
		found.Transfer(ctx, n.id)
		return fmt.Errorf("%s is the leader, expected %s", now.address, n.address)
	})
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// Package memnet is an in-memory network: it connects HTTP clients and servers
// through net.Pipe. Tests that use it can run in a testing/synctest bubble, which
// simulates time and detects when every goroutine is idle. It contains nothing
// specific to the servers.
package memnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Network connects clients with the servers on it, by host name.
type Network struct {
	mu        sync.Mutex
	listeners map[string]*listener
}

// New returns a network without servers.
func New() *Network { return &Network{listeners: map[string]*listener{}} }

// Serve starts an HTTP server under a host name and returns its URL. stop closes
// the server and its connections. After that, dialing the host is refused until
// Serve is called again.
func (n *Network) Serve(host string, handler http.Handler) (url string, stop func()) {
	l := &listener{host: host, conns: make(chan net.Conn), closed: make(chan struct{})}
	n.mu.Lock()
	n.listeners[host] = l
	n.mu.Unlock()
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) }) // returns ErrServerClosed
	return "http://" + host, func() {
		n.mu.Lock()
		if n.listeners[host] == l {
			delete(n.listeners, host)
		}
		n.mu.Unlock()
		_ = server.Close()
		serving.Wait()
	}
}

// Dial connects to a server. It has the signature of net.Dialer.DialContext.
func (n *Network) Dial(ctx context.Context, _, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	n.mu.Lock()
	l := n.listeners[host]
	n.mu.Unlock()
	if l == nil {
		return nil, errRefused
	}
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, errRefused
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

var errRefused = errors.New("connection refused")

type listener struct {
	host   string
	conns  chan net.Conn
	closed chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close is called once, by http.Server.
func (l *listener) Close() error {
	close(l.closed)
	return nil
}

func (l *listener) Addr() net.Addr { return addr(l.host) }

type addr string

func (addr) Network() string  { return "memory" }
func (a addr) String() string { return string(a) }

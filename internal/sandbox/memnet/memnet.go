// Package memnet is a network in memory: real HTTP servers and clients over
// net.Pipe, so that tests can run a whole world inside a testing/synctest
// bubble, where time is simulated and "idle" is known. It knows nothing of who
// talks.
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

// Serve starts an HTTP server under a host name and returns its URL. stop ends
// it with all its connections; until Serve is called again, dialling the host
// is refused.
func (n *Network) Serve(host string, handler http.Handler) (url string, stop func()) {
	l := &listener{host: host, conns: make(chan net.Conn), closed: make(chan struct{})}
	n.mu.Lock()
	n.listeners[host] = l
	n.mu.Unlock()
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) }) // ends with ErrServerClosed
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

// Dial connects to a server, as net.Dialer.DialContext does.
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
	once   sync.Once
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

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *listener) Addr() net.Addr { return addr(l.host) }

type addr string

func (addr) Network() string  { return "memory" }
func (a addr) String() string { return string(a) }

package pgtest

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Cut is when a Proxy cuts a connection.
type Cut int32

const (
	// CutNever cuts nothing.
	CutNever Cut = iota
	// CutBeforeCommit cuts when the client commits; the server does not learn of it.
	CutBeforeCommit
	// CutDuringCommit cuts when the commit was sent to the server, and waits for nothing.
	CutDuringCommit
	// CutAfterCommit cuts when the server has committed; the client does not learn of it.
	CutAfterCommit
)

const (
	queryMessage        = 'Q' // PostgreSQL's protocol: Query
	parseMessage        = 'P' // Parse
	bindMessage         = 'B' // Bind
	executeMessage      = 'E' // Execute
	syncMessage         = 'S' // Sync
	readyMessage        = 'Z' // ReadyForQuery
	notificationMessage = 'A' // NotificationResponse
	maxMessage          = 1 << 26
	// cancelRequest is the code of a CancelRequest.
	cancelRequest = 80877102
)

// Proxy stands between clients and the server, cuts connections exactly at a commit, and
// counts round trips.
// It forwards no requests to cancel a statement, which clients send after a cut.
type Proxy struct {
	url      string
	network  string
	server   string
	cut      atomic.Int32
	cuts     atomic.Int32
	trips    atomic.Int64
	outage   atomic.Bool // begins with the next cut
	down     atomic.Bool
	mute     atomic.Bool
	watch    atomic.Pointer[watch]
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
}

// NewProxy returns a proxy for the database of this URL, which ends with the test.
func NewProxy(tb testing.TB, database string) *Proxy {
	tb.Helper()
	config, err := pgx.ParseConfig(database)
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{}
	p.network, p.server = pgconn.NetworkAddress(config.Host, config.Port)
	if p.listener, err = new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0"); err != nil {
		tb.Fatal(err)
	}
	through := url.URL{
		Scheme: "postgres", User: url.UserPassword(config.User, config.Password), Host: p.listener.Addr().String(), Path: "/" + config.Database,
		RawQuery: "sslmode=disable",
	}
	p.url = through.String()
	ctx := context.WithoutCancel(tb.Context()) // which ends before the cleanup
	p.running.Go(func() { p.accept(ctx) })
	tb.Cleanup(func() {
		_ = p.listener.Close()
		p.closeAll()
		p.running.Wait()
	})
	return p
}

// URL is the database's URL through the proxy.
func (p *Proxy) URL() string { return p.url }

// Cut makes the next commit lose its connection.
func (p *Proxy) Cut(when Cut) { p.cut.Store(int32(when)) }

// CutForLong is Cut, after which all connections are closed, and new ones are refused
// until Up.
func (p *Proxy) CutForLong(when Cut) {
	p.outage.Store(true)
	p.Cut(when)
}

// Down closes all connections, and new ones are refused until Up.
func (p *Proxy) Down() {
	p.down.Store(true)
	p.closeAll()
}

// Up ends what Down or CutForLong has begun.
func (p *Proxy) Up() { p.down.Store(false) }

// Mute drops all notifications until it is called with false, as a pooler does whose
// sessions change with each transaction.
func (p *Proxy) Mute(mute bool) { p.mute.Store(mute) }

// watch is what Proxy.Watch was called with.
type watch struct {
	before func(commit string) (cut bool)
	states []string
}

// Watch calls before for each commit of something that was written, with the tables and
// those of the states that are written there ("commit orders:open,purchases:placed"), before
// the server gets it. If it returns true the server does not get it, and the connection is
// cut.
func (p *Proxy) Watch(before func(commit string) (cut bool), states ...string) {
	p.watch.Store(&watch{before, states})
}

// Cuts is how many connections were cut.
func (p *Proxy) Cuts() int { return int(p.cuts.Load()) }

// RoundTrips is how often clients have waited for the server: for a query, or for the
// statements that were sent together.
func (p *Proxy) RoundTrips() int64 { return p.trips.Load() }

func (p *Proxy) countCut() {
	p.cuts.Add(1)
	if p.outage.Swap(false) {
		p.Down()
	}
}

func (p *Proxy) closeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		_ = conn.Close()
	}
	p.conns = nil
}

func (p *Proxy) accept(ctx context.Context) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		server, err := new(net.Dialer).DialContext(ctx, p.network, p.server)
		if err == nil && p.down.Load() {
			err = errors.Join(net.ErrClosed, server.Close())
		}
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		link := &link{proxy: p, client: client, server: server}
		p.running.Go(link.forward)
		p.running.Go(link.answer)
	}
}

// link is one connection through the proxy.
type link struct {
	proxy          *Proxy
	client, server net.Conn
	executes       int // statements since the last Sync
	writes         writes
	committing     atomic.Bool // what the server answers is dropped
}

func (l *link) close() {
	_ = l.client.Close()
	_ = l.server.Close()
}

// forward sends the client's messages to the server.
func (l *link) forward() {
	defer l.close()
	for typed := 0; ; typed = 1 { // the first message has no type (StartupMessage)
		message, err := readMessage(l.client, typed)
		if err != nil {
			return
		}
		if typed == 0 && len(message) >= 8 && binary.BigEndian.Uint32(message[4:]) == cancelRequest {
			return
		}
		if watch := l.proxy.watch.Load(); watch != nil && typed == 1 {
			if commit := l.writes.read(message, watch.states); commit != "" && watch.before(commit) {
				return
			}
		}
		cut := CutNever
		if typed == 1 && l.commits(message) {
			cut = Cut(l.proxy.cut.Swap(int32(CutNever)))
		}
		l.committing.Store(cut == CutAfterCommit)
		if cut != CutBeforeCommit {
			_, err = l.server.Write(message)
		}
		if cut == CutBeforeCommit || cut == CutDuringCommit {
			l.proxy.countCut()
			return
		}
		if err != nil {
			return
		}
	}
}

// answer sends the server's messages to the client.
func (l *link) answer() {
	defer l.close()
	for {
		message, err := readMessage(l.server, 1)
		if err != nil {
			return
		}
		if l.committing.Load() {
			if message[0] == readyMessage {
				l.proxy.countCut()
				return
			}
			continue
		}
		if message[0] == notificationMessage && l.proxy.mute.Load() {
			continue
		}
		if message[0] == readyMessage {
			l.writes.ready(message)
		}
		if _, err := l.client.Write(message); err != nil {
			return
		}
	}
}

// commits reports whether the server commits when it reads a message: that is COMMIT, or
// the end of several statements that were sent together. It counts the round trips.
func (l *link) commits(message []byte) bool {
	switch message[0] {
	case executeMessage:
		l.executes++
		return false
	case syncMessage:
		l.proxy.trips.Add(1)
		several := l.executes > 1
		l.executes = 0
		return several
	case queryMessage:
		l.proxy.trips.Add(1)
		return strings.EqualFold(strings.TrimRight(string(message[5:]), "\x00"), "commit")
	default:
		return false
	}
}

// readMessage reads a message with its length, before which stand this many bytes.
func readMessage(from io.Reader, before int) ([]byte, error) {
	head := make([]byte, before+4)
	if _, err := io.ReadFull(from, head); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(head[before:]) // counts itself
	if length < 4 || length > maxMessage {
		return nil, errors.New("pgtest: no message")
	}
	message := make([]byte, before+int(length))
	copy(message, head)
	_, err := io.ReadFull(from, message[len(head):])
	return message, err
}

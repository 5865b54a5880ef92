package ops

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// checkTimeout bounds the checks of one /readyz. Docker's health check gives the
// healthcheck command 5 s.
const checkTimeout = 2 * time.Second

// Check is one condition of readiness.
type Check struct {
	Name string
	Do   func(context.Context) error // nil = passed; an error is logged, not served
}

// Options configure a Server.
type Options struct {
	Addr    string // host:port; "" = the server is off
	Metrics *Metrics
	Checks  []Check
	Log     *slog.Logger
}

// Server serves /healthz, /readyz and /metrics.
type Server struct {
	options Options

	mu       sync.Mutex
	server   *http.Server
	listener net.Listener  // nil when not listening
	served   chan struct{} // closed when the server has ended
	stopped  bool

	statesMu sync.Mutex
	states   map[string]string // the last result of each check: "ok" or its error
}

// New returns a Server that is not started.
func New(options Options) *Server {
	return &Server{options: options, states: make(map[string]string)}
}

// Start listens and serves until Stop. Its error is that of listening, for
// instance on an address in use. A second Start does nothing; one after Stop is
// an error.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return errors.New("operators' server: already stopped")
	}
	if s.options.Addr == "" || s.server != nil {
		return nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.options.Addr)
	if err != nil {
		return fmt.Errorf("operators' server: %w", err)
	}
	s.listener = listener
	s.served = make(chan struct{})
	s.server = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.options.Log.Handler(), slog.LevelDebug),
	}
	go func(server *http.Server, served chan<- struct{}) {
		defer close(served)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.options.Log.Error("operators' server failed", "error", err)
		}
	}(s.server, s.served)
	return nil
}

// Stop closes the listener and waits for running requests until ctx is done,
// then closes their connections and returns the error of ctx. It may be called
// several times, also at once; each call obeys its own ctx.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.stopped, s.listener = true, nil
	server, served := s.server, s.served
	s.mu.Unlock()
	if server == nil {
		return nil
	}
	err := server.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("operators' server: %w", errors.Join(err, server.Close()))
	}
	<-served // Serve returns as soon as the listener is closed
	return err
}

// Addr returns the address on which the server listens, with the port that the
// system chose for ":0", or "" when it does not listen.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		s.answer(w, http.StatusOK, "ok\n")
	})
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.options.Metrics.registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(s.options.Log.Handler(), slog.LevelWarn),
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 4,
		Timeout:             10 * time.Second,
	}))
	return mux
}

// ready runs all checks in parallel. It serves their names with "ok", "failed"
// or "no answer": the text of an error may contain a secret.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
	defer cancel()

	results := make([]chan string, len(s.options.Checks))
	for i, check := range s.options.Checks {
		results[i] = make(chan string, 1)
		go func() {
			err := check.Do(ctx)
			s.logChange(check.Name, err)
			if err != nil {
				results[i] <- "failed"
				return
			}
			results[i] <- "ok"
		}()
	}

	status := http.StatusOK
	lines := make([]string, len(results))
	for i, check := range s.options.Checks {
		result := "no answer"
		select {
		case result = <-results[i]:
		case <-ctx.Done():
			select { // the check may have ended during the wait for another one
			case result = <-results[i]:
			default:
			}
		}
		if result != "ok" {
			status = http.StatusServiceUnavailable
		}
		lines[i] = check.Name + ": " + result + "\n"
	}
	slices.Sort(lines)
	s.answer(w, status, strings.Join(lines, ""))
}

// logChange logs the result of a check when it differs from the last one:
// /readyz is requested every few seconds.
func (s *Server) logChange(name string, err error) {
	state := "ok"
	if err != nil {
		state = err.Error()
	}
	s.statesMu.Lock()
	before, known := s.states[name]
	s.states[name] = state
	s.statesMu.Unlock()
	switch {
	case err != nil && before != state:
		s.options.Log.Warn("not ready", "check", name, "error", err)
	case err == nil && known && before != state:
		s.options.Log.Info("ready again", "check", name)
	}
}

func (s *Server) answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if _, err := w.Write([]byte(body)); err != nil {
		s.options.Log.Debug("operators' server: response not written", "error", err)
	}
}

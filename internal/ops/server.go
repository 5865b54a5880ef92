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

// checkTimeout is what each check of /readyz has. Docker's health check gives
// the whole command 5 s.
const checkTimeout = 2 * time.Second

// Check is one thing that must be well for the bot to be ready.
type Check struct {
	Name string
	Do   func(context.Context) error // its error is logged, never served
}

// Options are what a Server needs.
type Options struct {
	Addr    string // host:port; "" = no server at all
	Metrics *Metrics
	Checks  []Check
	Log     *slog.Logger
}

// Server serves three pages:
//
//	/healthz  200 while the process lives
//	/readyz   200 when all checks pass, else 503; a line for each check either way
//	/metrics  in the format of Prometheus
type Server struct {
	options Options

	mu       sync.Mutex
	server   *http.Server
	listener net.Listener
	served   chan struct{} // closed when the server has ended
	stopped  bool

	statesMu sync.Mutex
	states   map[string]string // what each check said last
}

// New returns a Server that does nothing until it is started.
func New(options Options) *Server {
	return &Server{options: options, states: make(map[string]string)}
}

// Start listens and serves until Stop. The error is that of listening: an
// address in use is known at once. Started again, it does nothing.
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
			s.options.Log.Error("operators' server ended", "error", err)
		}
	}(s.server, s.served)
	return nil
}

// Stop lets running requests end until ctx is over, then cuts them off. It
// returns when the server has ended. Stopped again, it does nothing.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	if s.server == nil {
		return nil
	}
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.server.Close())
	}
	<-s.served
	s.server, s.listener = nil, nil
	if err != nil {
		return fmt.Errorf("operators' server: %w", err)
	}
	return nil
}

// Addr is where the server listens, with the port that the system chose for
// ":0"; "" when it is off or not running.
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

// ready runs all checks side by side. What is served is a name and one of our
// own words, because an error can carry anything.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
	defer cancel()

	words := make([]chan string, len(s.options.Checks))
	for i, check := range s.options.Checks {
		words[i] = make(chan string, 1)
		go func() {
			err := check.Do(ctx)
			s.tell(check.Name, err)
			if err != nil {
				words[i] <- "failed"
				return
			}
			words[i] <- "ok"
		}()
	}

	status := http.StatusOK
	lines := make([]string, len(words))
	for i, check := range s.options.Checks {
		word := "no answer"
		select {
		case word = <-words[i]:
		case <-ctx.Done():
			select { // it may have answered while another one was waited for
			case word = <-words[i]:
			default:
			}
		}
		if word != "ok" {
			status = http.StatusServiceUnavailable
		}
		lines[i] = check.Name + ": " + word + "\n"
	}
	slices.Sort(lines)
	s.answer(w, status, strings.Join(lines, ""))
}

// tell logs a check's state when it has changed: /readyz is asked every few
// seconds, and a line each time would bury everything else.
func (s *Server) tell(name string, err error) {
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
		s.options.Log.Debug("operators' server: answer not taken", "error", err)
	}
}

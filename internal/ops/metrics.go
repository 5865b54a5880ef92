// Package ops is what operators look at: whether the bot lives, whether it is
// ready, and its metrics.
//
// It owns the HTTP server on HTTP_ADDR and the registry of metrics. It knows
// nothing of Telegram, of the marketplace or of the database: they hand in
// functions (checks, gauges) and are handed functions (recorders). Nothing
// here may tell one person from another: no ids, no names, no error texts.
package ops

import (
	"context"
	"fmt"
	"regexp"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

const (
	// gaugeTimeout bounds what one gauge may take of a scrape (Prometheus gives
	// a scrape 10 s by default).
	gaugeTimeout = 2 * time.Second
	// maxLabels bounds the values of one label: 16 actions and about as many
	// events exist, so more than this is a mistake and is counted as "other".
	maxLabels  = 64
	otherLabel = "other"
)

// labelShape takes the names that code gives to things. Four digits in a row
// are refused below: that is somebody's id.
var (
	labelShape = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9 _.:-]{0,47}$`)
	idShape    = regexp.MustCompile(`[0-9]{4}`)
)

// Metrics records what happens. Its methods may be called from any goroutine.
type Metrics struct {
	registry    *prometheus.Registry
	marketCalls *prometheus.CounterVec
	marketTook  *prometheus.HistogramVec
	botTook     *prometheus.HistogramVec
	botCalls    *prometheus.CounterVec
	botCallTook *prometheus.HistogramVec

	actions, outcomes, events, methods, answers labels
}

// NewMetrics returns Metrics with a registry of its own, which already has
// those of the Go runtime and of the process.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		marketCalls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hstockbot_market_calls_total",
			Help: "Calls to the marketplace by action and outcome.",
		}, []string{"action", "outcome"}),
		marketTook: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hstockbot_market_call_seconds",
			Help:    "How long calls to the marketplace took, by action.",
			Buckets: []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"action"}),
		botTook: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hstockbot_bot_event_seconds",
			Help:    "How long the bot's events took, by event.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"event"}),
	}
	m.botCalls = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hstockbot_telegram_calls_total",
		Help: "Calls to Telegram by method and outcome.",
	}, []string{"method", "outcome"})
	m.botCallTook = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "hstockbot_telegram_call_seconds",
		Help:    "How long calls to Telegram took, by method.",
		Buckets: []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}, []string{"method"})
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "hstockbot_build_info",
		Help:        "Always 1; the labels say what is running.",
		ConstLabels: prometheus.Labels{"version": version, "go": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(
		m.marketCalls, m.marketTook, m.botTook, m.botCalls, m.botCallTook, build,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// ObserveMarket records one call to the marketplace.
func (m *Metrics) ObserveMarket(action, outcome string, took time.Duration) {
	action = m.actions.bound(action)
	m.marketCalls.WithLabelValues(action, m.outcomes.bound(outcome)).Inc()
	m.marketTook.WithLabelValues(action).Observe(took.Seconds())
}

// ObserveBot records one event of the Telegram runtime.
func (m *Metrics) ObserveBot(event string, took time.Duration) {
	m.botTook.WithLabelValues(m.events.bound(event)).Observe(took.Seconds())
}

// ObserveTelegram records one call to Telegram.
func (m *Metrics) ObserveTelegram(method, outcome string, took time.Duration) {
	method = m.methods.bound(method)
	m.botCalls.WithLabelValues(method, m.answers.bound(outcome)).Inc()
	m.botCallTook.WithLabelValues(method).Observe(took.Seconds())
}

// Gauge adds a number that is read anew at every scrape, as
// hstockbot_<name>. When read fails or takes longer than two seconds the
// number is left out of that scrape and the others are still served. A name
// given twice is an error.
func (m *Metrics) Gauge(name, help string, read func(context.Context) (int64, error)) error {
	g := &gauge{
		desc: prometheus.NewDesc("hstockbot_"+name, help, nil, nil),
		read: read,
	}
	if err := m.registry.Register(g); err != nil {
		return fmt.Errorf("gauge %s: %w", name, err)
	}
	return nil
}

// gauge implements prometheus.Collector.
type gauge struct {
	desc *prometheus.Desc
	read func(context.Context) (int64, error)
}

// Describe implements prometheus.Collector.
func (g *gauge) Describe(descs chan<- *prometheus.Desc) { descs <- g.desc }

// Collect implements prometheus.Collector. An invalid metric is how an error
// gets to the handler, which logs it.
func (g *gauge) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), gaugeTimeout)
	defer cancel()
	value, err := g.read(ctx)
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(g.desc, err)
		return
	}
	metrics <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, float64(value))
}

// labels are the values that one label has had. The zero value is ready.
type labels struct {
	mu   sync.RWMutex
	seen map[string]bool
}

// bound returns value, or "other" for what would let a label grow without end.
func (l *labels) bound(value string) string {
	l.mu.RLock()
	known := l.seen[value]
	l.mu.RUnlock()
	if known {
		return value
	}
	if !labelShape.MatchString(value) || idShape.MatchString(value) {
		return otherLabel
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.seen) >= maxLabels && !l.seen[value] {
		return otherLabel
	}
	if l.seen == nil {
		l.seen = make(map[string]bool)
	}
	l.seen[value] = true
	return value
}

package ops

import (
	"context"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

const (
	// gaugeTimeout bounds the time that one gauge may take in a scrape
	// (Prometheus gives a scrape 10 s by default).
	gaugeTimeout = 2 * time.Second
	// maxLabelValues bounds the values of one label. There are 16 actions, about 20
	// methods and 105 screens, so further values are a programming error.
	maxLabelValues = 200
	otherLabel     = "other"
)

// The values of the labels whose values are few.
var (
	updateKinds      = []string{"tap", "text", "command", "step", "group", "member", "inline"}
	events           = []string{"panic", "dead_lettered", "poll_failed", "flood", "chat_rescued", "backup_made", "backup_failed"}
	outcomes         = []string{"placed", "rejected", "outcome_unknown"}
	priorities       = []string{"code", "goods", "reply", "status", "news"}
	transactionKinds = []string{"write", "small_write"}
)

// The buckets of the histograms, in seconds.
var (
	requestBuckets     = []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	updateBuckets      = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}
	tapBuckets         = []float64{.05, .1, .25, .5, 1, 2.5, 10} // few, because there are many screens
	delayBuckets       = []float64{.25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800}
	transactionBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}
)

// labelPattern matches the names that code gives to things. Four digits in a
// row are refused as well, because they may be part of an id.
var (
	labelPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9 _.:-]{0,47}$`)
	idPattern    = regexp.MustCompile(`[0-9]{4}`)
)

// Metrics records what the program does for Prometheus. Its methods may be called
// from any goroutine.
type Metrics struct {
	registry              *prometheus.Registry
	marketplace, telegram requestMetrics
	updates               *prometheus.CounterVec
	updateDuration        *prometheus.HistogramVec
	tapDuration           *prometheus.HistogramVec
	screens, reasons      labelValues
	events                *prometheus.CounterVec
	purchases             *prometheus.CounterVec
	messageDelay          *prometheus.HistogramVec
	transactionDuration   *prometheus.HistogramVec
}

// NewMetrics returns Metrics with its own registry, which also has the metrics
// of the Go runtime and of the process. The version is a label of
// hstockbot_build_info.
func NewMetrics(version string) *Metrics {
	registry := prometheus.NewRegistry()
	m := &Metrics{
		registry:    registry,
		marketplace: newRequestMetrics(registry, "marketplace", "action"),
		telegram:    newRequestMetrics(registry, "telegram", "method"),
		updates: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hstockbot_updates_total",
			Help: "Telegram updates handled, by kind.",
		}, []string{"kind"}),
		updateDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hstockbot_update_duration_seconds",
			Help:    "Time from receiving an update to the end of its handling, by kind.",
			Buckets: updateBuckets,
		}, []string{"kind"}),
		tapDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hstockbot_tap_duration_seconds",
			Help:    "Time from receiving a tap on a button to the end of its handling, by the screen that the button leads to.",
			Buckets: tapBuckets,
		}, []string{"screen"}),
		purchases: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hstockbot_purchases_total",
			Help: "Purchases by outcome, and for rejected ones by reason.",
		}, []string{"outcome", "reason"}),
		messageDelay: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hstockbot_message_delay_seconds",
			Help:    "Time from storing a message to a person to its arrival at Telegram, by priority.",
			Buckets: delayBuckets,
		}, []string{"priority"}),
		transactionDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hstockbot_database_transaction_duration_seconds",
			Help:    "Duration of writes to the database, with their waits and retries, by kind.",
			Buckets: transactionBuckets,
		}, []string{"kind"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hstockbot_events_total",
			Help: "Panics, updates given up, failed polls and rate limits of the Telegram runtime, and daily backups.",
		}, []string{"event"}),
	}
	m.startAtZero()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "hstockbot_build_info",
		Help:        "Always 1; the labels are the version of the program and of Go.",
		ConstLabels: prometheus.Labels{"version": version, "go": runtime.Version()},
	})
	build.Set(1)
	registry.MustRegister(
		m.updates, m.updateDuration, m.tapDuration, m.events, m.purchases, m.messageDelay, m.transactionDuration, build,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// startAtZero makes the series whose labels are known before: one that starts at 0 has
// a rate from its first event on.
func (m *Metrics) startAtZero() {
	for _, event := range events {
		m.events.WithLabelValues(event)
	}
	for _, kind := range updateKinds {
		m.updates.WithLabelValues(kind)
	}
	for _, outcome := range outcomes {
		m.purchases.WithLabelValues(outcome, "")
	}
	for _, priority := range priorities {
		m.messageDelay.WithLabelValues(priority)
	}
	for _, kind := range transactionKinds {
		m.transactionDuration.WithLabelValues(kind)
	}
}

// ObserveMarketplace records one request to the marketplace.
func (m *Metrics) ObserveMarketplace(action, outcome string, took time.Duration) {
	m.marketplace.observe(action, outcome, took)
}

// ObserveTelegram records one request to the Bot API.
func (m *Metrics) ObserveTelegram(method, outcome string, took time.Duration) {
	m.telegram.observe(method, outcome, took)
}

// ObserveUpdate records one handled update: "tap", "text", "command", "step",
// "group", "member" or "inline"; any other kind is recorded as "other". screen is the
// name of the route that a tapped button leads to, else "".
func (m *Metrics) ObserveUpdate(kind, screen string, took time.Duration) {
	kind = oneOf(updateKinds, kind)
	m.updates.WithLabelValues(kind).Inc()
	m.updateDuration.WithLabelValues(kind).Observe(took.Seconds())
	if screen != "" {
		m.tapDuration.WithLabelValues(m.screens.bound(screen)).Observe(took.Seconds())
	}
}

// CountEvent counts one event of the Telegram runtime: "panic", "dead_lettered",
// "poll_failed", "flood" or "chat_rescued", or a daily backup: "backup_made" or
// "backup_failed"; any other is counted as "other".
func (m *Metrics) CountEvent(event string) {
	m.events.WithLabelValues(oneOf(events, event)).Inc()
}

// CountPurchase counts one purchase that became "placed", "rejected", with the reason,
// or "outcome_unknown".
func (m *Metrics) CountPurchase(outcome, reason string) {
	if reason != "" {
		reason = m.reasons.bound(reason)
	}
	m.purchases.WithLabelValues(oneOf(outcomes, outcome), reason).Inc()
}

// ObserveMessage records how long after it was stored a message to a person was sent.
// The priority is "code", "goods", "reply", "status" or "news".
func (m *Metrics) ObserveMessage(priority string, delay time.Duration) {
	m.messageDelay.WithLabelValues(oneOf(priorities, priority)).Observe(max(delay, 0).Seconds())
}

// ObserveTransaction records one "write" or "small_write" to the database.
func (m *Metrics) ObserveTransaction(kind string, took time.Duration) {
	m.transactionDuration.WithLabelValues(oneOf(transactionKinds, kind)).Observe(took.Seconds())
}

// Gauge adds a gauge named hstockbot_<name>, whose value is read at each
// scrape. If read fails or takes longer than two seconds, that scrape lacks
// the gauge but has all the others. A name that is taken is an error.
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

// requestMetrics are the two metrics of the requests to one service.
type requestMetrics struct {
	total           *prometheus.CounterVec
	duration        *prometheus.HistogramVec
	names, outcomes *labelValues
}

// newRequestMetrics registers hstockbot_<service>_requests_total and
// hstockbot_<service>_request_duration_seconds. label is the label that names
// the request.
func newRequestMetrics(registry *prometheus.Registry, service, label string) requestMetrics {
	m := requestMetrics{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hstockbot_" + service + "_requests_total",
			Help: "Requests to the " + service + " API, by " + label + " and outcome.",
		}, []string{label, "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hstockbot_" + service + "_request_duration_seconds",
			Help:    "Duration of requests to the " + service + " API, by " + label + ".",
			Buckets: requestBuckets,
		}, []string{label}),
		names:    new(labelValues),
		outcomes: new(labelValues),
	}
	registry.MustRegister(m.total, m.duration)
	return m
}

func (m requestMetrics) observe(name, outcome string, took time.Duration) {
	name = m.names.bound(name)
	m.total.WithLabelValues(name, m.outcomes.bound(outcome)).Inc()
	m.duration.WithLabelValues(name).Observe(took.Seconds())
}

// gauge implements prometheus.Collector.
type gauge struct {
	desc *prometheus.Desc
	read func(context.Context) (int64, error)
}

// Describe implements prometheus.Collector.
func (g *gauge) Describe(descs chan<- *prometheus.Desc) { descs <- g.desc }

// Collect implements prometheus.Collector. An error is passed on as an invalid
// metric, which the handler logs.
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

// oneOf returns value if it is known, else "other".
func oneOf(known []string, value string) string {
	if slices.Contains(known, value) {
		return value
	}
	return otherLabel
}

// labelValues are the values that one label has had, for labels whose values
// other packages define. The zero value is ready.
type labelValues struct {
	mu   sync.RWMutex
	seen map[string]bool
}

// bound returns value, or "other" if value may be an id or if the label has
// maxLabelValues values already.
func (l *labelValues) bound(value string) string {
	l.mu.RLock()
	seen := l.seen[value]
	l.mu.RUnlock()
	if seen {
		return value
	}
	if !labelPattern.MatchString(value) || idPattern.MatchString(value) {
		return otherLabel
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.seen) >= maxLabelValues && !l.seen[value] {
		return otherLabel
	}
	if l.seen == nil {
		l.seen = make(map[string]bool)
	}
	l.seen[value] = true
	return value
}

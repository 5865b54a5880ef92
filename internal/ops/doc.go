// Package ops provides what operators look at: health, readiness, metrics, and
// statistics of the calls to a service.
//
// It owns the HTTP server on HTTP_ADDR with its three pages:
//
//	/healthz  200 while the process lives
//	/readyz   200 when all checks pass, else 503; one line for each check
//	/metrics  the Prometheus text format
//
// It also owns the client of the healthcheck command, the registry of metrics, the
// LogWriter, and CallStats, from which admins and the monitor learn whether a service is
// down. It contains nothing of Telegram, the marketplace or the database: main
// hands in checks and gauges as functions, and passes the methods of Metrics
// and CallStats to the packages that call them.
//
// Metrics follow the conventions of Prometheus (base units, _total for
// counters, counters apart from histograms):
//
//	hstockbot_marketplace_requests_total{action,outcome}
//	hstockbot_marketplace_request_duration_seconds{action}
//	hstockbot_telegram_requests_total{method,outcome}
//	hstockbot_telegram_request_duration_seconds{method}
//	hstockbot_updates_total{kind}
//	hstockbot_update_duration_seconds{kind}
//	hstockbot_tap_duration_seconds{screen}
//	hstockbot_events_total{event}
//	hstockbot_purchases_total{outcome,reason}
//	hstockbot_message_delay_seconds{priority}
//	hstockbot_database_transaction_duration_seconds{kind}
//	hstockbot_build_info{version,go}
//
// The gauges (open orders, pending messages and their age) are added by package app. No page and no
// label carries ids, names, messages or the text of an error: an error is
// logged, where the redactor sees it, and is served as "failed". Every label
// has a bounded number of values; what exceeds the bound is "other".
package ops

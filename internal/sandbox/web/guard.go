package web

import (
	"mime"
	"net"
	"net/http"
	"strings"
)

// guard rejects requests that another site makes the browser send.
//
// The Host check stops DNS rebinding, the checks of Origin and Sec-Fetch-Site (Fetch
// Metadata) stop other sites, and the Content-Type check stops forms. Any site may
// link to the page.
func guard(addr net.Addr, next http.Handler) http.Handler {
	hosts := allowedHosts(addr)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Cache-Control", "no-store")
		switch {
		case !hosts[strings.ToLower(r.Host)]:
			http.Error(w, "the page is not served under this host name", http.StatusMisdirectedRequest)
		case !sameOrigin(r):
			http.Error(w, "requests from other sites are rejected", http.StatusForbidden)
		case r.Method == http.MethodPost && !isJSON(r):
			http.Error(w, "the content type must be application/json", http.StatusUnsupportedMediaType)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// allowedHosts returns the values of Host that address a listener.
func allowedHosts(addr net.Addr) map[string]bool {
	hosts := map[string]bool{}
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return hosts
	}
	for _, name := range []string{host, "localhost"} {
		hosts[net.JoinHostPort(name, port)] = true
		if port == "80" { // browsers omit it
			hosts[strings.TrimSuffix(net.JoinHostPort(name, port), ":80")] = true
		}
	}
	return hosts
}

func sameOrigin(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return true
	default: // same-site is rejected too: it includes the other ports of this machine
		return r.Method == http.MethodGet && r.URL.Path == "/" && r.Header.Get("Sec-Fetch-Dest") == "document"
	}
}

func isJSON(r *http.Request) bool {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && media == "application/json"
}

package web

import (
	"mime"
	"net"
	"net/http"
	"strings"
)

// guard lets in what this page asks for, and nothing that another site makes a
// browser ask for.
//
// A name that points at loopback (DNS rebinding) fails at Host, another site at
// Origin or Sec-Fetch-Site (Fetch Metadata), a form at Content-Type. Opening the
// page itself is free: links lead to it.
func guard(at net.Addr, next http.Handler) http.Handler {
	hosts := ownHosts(at)
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
			http.Error(w, "this page is not served under that name", http.StatusMisdirectedRequest)
		case !ownOrigin(r):
			http.Error(w, "other sites may not ask for this", http.StatusForbidden)
		case r.Method == http.MethodPost && !isJSON(r):
			http.Error(w, "takes application/json", http.StatusUnsupportedMediaType)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// ownHosts are the values of Host under which a listener is known.
func ownHosts(at net.Addr) map[string]bool {
	hosts := map[string]bool{}
	host, port, err := net.SplitHostPort(at.String())
	if err != nil {
		return hosts
	}
	for _, name := range []string{host, "localhost"} {
		hosts[net.JoinHostPort(name, port)] = true
		if port == "80" { // browsers leave it out
			hosts[strings.TrimSuffix(net.JoinHostPort(name, port), ":80")] = true
		}
	}
	return hosts
}

func ownOrigin(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return true
	default: // same-site too: that is any other port of this machine
		return r.Method == http.MethodGet && r.URL.Path == "/" && r.Header.Get("Sec-Fetch-Dest") == "document"
	}
}

func isJSON(r *http.Request) bool {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && media == "application/json"
}

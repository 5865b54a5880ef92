package ops

import "net/http"

// Handler serves the pages of s without a network, so in a synctest bubble.
func Handler(s *Server) http.Handler { return s.handler() }

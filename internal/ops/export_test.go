package ops

import "net/http"

// Handler lets a test serve the pages inside a synctest bubble, without a network.
func Handler(s *Server) http.Handler { return s.handler() }

package telegram

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// apiError is a refusal: error_code, description and parameters of the response.
type apiError struct {
	Code        int
	Description string
	RetryAfter  int   // seconds; 0: none
	MigrateTo   int64 // the supergroup that a group has become; 0: none
}

// errNoResponse closes the connection without a response, because the caller left
// or the server closes.
var errNoResponse = &apiError{}

func refuse(code int, description string) *apiError {
	return &apiError{Code: code, Description: description}
}

func badRequest(format string, values ...any) *apiError {
	return refuse(http.StatusBadRequest, "Bad Request: "+fmt.Sprintf(format, values...))
}

func tooManyRequests(seconds int) *apiError {
	return &apiError{
		Code:        http.StatusTooManyRequests,
		Description: "Too Many Requests: retry after " + strconv.Itoa(seconds),
		RetryAfter:  seconds,
	}
}

// envelope is the JSON of every response (Bot API: "Making requests").
type envelope struct {
	OK          bool        `json:"ok"`
	Result      any         `json:"result,omitempty"`
	ErrorCode   int         `json:"error_code,omitempty"`
	Description string      `json:"description,omitempty"`
	Parameters  *parameters `json:"parameters,omitempty"`
}

type parameters struct {
	RetryAfter int   `json:"retry_after,omitempty"`
	MigrateTo  int64 `json:"migrate_to_chat_id,omitempty"`
}

func writeResponse(w http.ResponseWriter, result any, err *apiError) {
	body := envelope{OK: true, Result: result}
	status := http.StatusOK
	if err != nil {
		status = err.Code
		body = envelope{ErrorCode: err.Code, Description: err.Description}
		if p := (parameters{err.RetryAfter, err.MigrateTo}); p != (parameters{}) {
			body.Parameters = &p
		}
	}
	data, marshalErr := json.Marshal(body)
	if marshalErr != nil {
		status, data = http.StatusInternalServerError, []byte(`{"ok":false,"error_code":500,"description":"Internal Server Error"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	_, _ = w.Write(data) // an error means that the caller is gone
}

// writeBadGateway writes the HTML page of a proxy in front of Telegram.
func writeBadGateway(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusBadGateway)
	_, _ = io.WriteString(w, "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx/1.18.0</center>\r\n</body>\r\n</html>\r\n")
}

package hstock

import "strings"

// OrderState is the state of an order of Add.
type OrderState int

// The states of orders. The document names "In progress" and "Completed" and
// speaks of partial delivery; the others are what panels of this family answer.
const (
	StateUnknown OrderState = iota // any other word: still open
	StatePending
	StateInProgress // also "Processing"
	StateCompleted
	StatePartial
	StateCanceled
	StateRefunded
	StateFailed
)

// String returns the state's name in lower case.
func (s OrderState) String() string {
	switch s {
	case StatePending:
		return "pending"
	case StateInProgress:
		return "in progress"
	case StateCompleted:
		return "completed"
	case StatePartial:
		return "partial"
	case StateCanceled:
		return "canceled"
	case StateRefunded:
		return "refunded"
	case StateFailed:
		return "failed"
	default:
		return "unknown"
	}
}

// ParseOrderState reads the marketplace's word without regard to case,
// surrounding spaces, or the sign between words.
func ParseOrderState(word string) OrderState {
	switch normalizeStatus(word) {
	case "pending":
		return StatePending
	case "in progress", "inprogress", "processing":
		return StateInProgress
	case "completed", "complete":
		return StateCompleted
	case "partial":
		return StatePartial
	case "canceled", "cancelled":
		return StateCanceled
	case "refunded":
		return StateRefunded
	case "fail", "failed":
		return StateFailed
	default:
		return StateUnknown
	}
}

// SMSState is the state of a rented number.
type SMSState int

// The states of rented numbers. Any of them may come in any answer.
const (
	SMSUnknown  SMSState = iota // any other word: still open
	SMSWaiting                  // "active", "waiting"
	SMSReceived                 // "completed", "code_received"
	SMSExpired                  // "expired", "timeout"
	SMSCanceled                 // "canceled", "cancelled"
	SMSRefunded
)

// String returns the state's name in lower case.
func (s SMSState) String() string {
	switch s {
	case SMSWaiting:
		return "waiting"
	case SMSReceived:
		return "received"
	case SMSExpired:
		return "expired"
	case SMSCanceled:
		return "canceled"
	case SMSRefunded:
		return "refunded"
	default:
		return "unknown"
	}
}

// ParseSMSState reads the marketplace's word as ParseOrderState does.
func ParseSMSState(word string) SMSState {
	switch normalizeStatus(word) {
	case "active", "waiting", "pending":
		return SMSWaiting
	case "completed", "code received", "received":
		return SMSReceived
	case "expired", "timeout":
		return SMSExpired
	case "canceled", "cancelled":
		return SMSCanceled
	case "refunded":
		return SMSRefunded
	default:
		return SMSUnknown
	}
}

// normalizeStatus lowers a word and makes "code_received", "Code-Received" and
// " code received" the same.
func normalizeStatus(word string) string {
	word = strings.NewReplacer("_", " ", "-", " ").Replace(strings.ToLower(word))
	return strings.Join(strings.Fields(word), " ")
}

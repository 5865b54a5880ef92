package hstock

import "strings"

// OrderState is the state of an order placed with Add.
type OrderState int

// The states of orders. The document names "In progress" and "Completed" and
// mentions partial delivery; the others are common among panels of this kind.
const (
	StateUnknown OrderState = iota // any other status; counts as open
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

// ParseOrderState parses the marketplace's status. It ignores case, surrounding
// spaces, and whether words are separated by spaces, _ or -.
func ParseOrderState(rawStatus string) OrderState {
	switch normalizeStatus(rawStatus) {
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

// The states of rented numbers. Any answer may contain any of them.
const (
	SMSUnknown  SMSState = iota // any other status; counts as open
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

// ParseSMSState parses the marketplace's status as ParseOrderState does.
func ParseSMSState(rawStatus string) SMSState {
	switch normalizeStatus(rawStatus) {
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

// normalizeStatus maps "code_received", "Code-Received" and " code received" to
// "code received".
func normalizeStatus(rawStatus string) string {
	rawStatus = strings.NewReplacer("_", " ", "-", " ").Replace(strings.ToLower(rawStatus))
	return strings.Join(strings.Fields(rawStatus), " ")
}

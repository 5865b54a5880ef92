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
	case "pending", "queued", "in queue":
		return StatePending
	case "in progress", "inprogress", "processing":
		return StateInProgress
	case "completed", "complete", "finished", "delivered":
		return StateCompleted
	case "partial", "partially completed", "partially delivered":
		return StatePartial
	case "cancel", "canceled", "cancelled":
		return StateCanceled
	case "refund", "refunded":
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
	SMSEnded // "banned", "finished" without a code: over, for the reason in RawStatus
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
	case SMSEnded:
		return "ended"
	default:
		return "unknown"
	}
}

// ParseSMSState parses the marketplace's status as ParseOrderState does.
func ParseSMSState(rawStatus string) SMSState {
	switch normalizeStatus(rawStatus) {
	case "active", "waiting", "pending", "wait", "wait code", "waiting code", "waiting for code", "waiting for sms", "wait sms", "ready":
		return SMSWaiting
	case "completed", "complete", "code received", "received", "sms received", "ok", "success":
		return SMSReceived
	case "expired", "expire", "timeout", "time out", "timed out", "number expired":
		return SMSExpired
	case "cancel", "canceled", "cancelled", "number cancelled", "number canceled":
		return SMSCanceled
	case "refund", "refunded":
		return SMSRefunded
	case "banned", "ban", "blocked", "finished", "finish", "ended", "closed", "rejected", "declined", "failed", "terminated",
		"unavailable", "number banned", "used":
		return SMSEnded
	default:
		return SMSUnknown
	}
}

// normalizeStatus maps "code_received", "Code-Received", " code received" and
// "STATUS_CODE_RECEIVED" to "code received".
func normalizeStatus(rawStatus string) string {
	rawStatus = strings.NewReplacer("_", " ", "-", " ").Replace(strings.ToLower(rawStatus))
	words := strings.Fields(rawStatus)
	if len(words) > 1 && words[0] == "status" {
		words = words[1:]
	}
	return strings.Join(words, " ")
}

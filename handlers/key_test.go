package handlers_test

import "testing"

func TestOperatorKeyIsRefusedFromOthers(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(operatorKey)
		w.says(w.l.T("key_refused"))
		w.becomeAdmin()
		w.withKey(operatorKey)
		w.says("$100.00") // an admin may use it
	})
}

// TestKeyMayServeOtherWatches: without an operator's key, watches use the keys of people,
// and people are told so when they give theirs.
func TestKeyMayServeOtherWatches(t *testing.T) {
	inEnglish(t, "key_shared", func(w *world) {
		w.cfg.HStockAPIKey = ""
		w.restart()
		w.withKey(annaKey)
		w.says(w.l.T("key_saved_shared"))
	})
}

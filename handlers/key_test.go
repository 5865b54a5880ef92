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

package storage

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// TestPersonalDataIsOfOnePerson: what is read about a person is the same with and without
// somebody else, of whom as much is stored.
func TestPersonalDataIsOfOnePerson(t *testing.T) {
	db := openHouse(t)
	now := time.Now()
	store := func(user int64) {
		fill(t, db, user)
		give(t, db, user, "100", "10", true, now)
		if _, err := db.PayWith(t.Context(), user, true); err != nil {
			t.Fatal(err)
		}
		placeHouse(t, db, sendHouse(t, db, houseDraft(t, db, user, KindProduct, "1", 1, now), now), now, idOf(1000+user))
	}
	read := func(user int64) string {
		data, err := db.PersonalData(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		for field, list := range reflect.ValueOf(data).Fields() {
			if list.Kind() == reflect.Slice && list.Len() == 0 {
				t.Errorf("person %d has no %s, so the test shows nothing about them", user, field.Name)
			}
		}
		text, err := json.MarshalIndent(data, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	store(1)
	alone := read(1)
	store(2)
	equal(t, "person 1 beside person 2", alone, read(1))
	beside := read(2)
	if err := db.Forget(t.Context(), 1, now); err != nil {
		t.Fatal(err)
	}
	equal(t, "person 2 without person 1", read(2), beside)
}

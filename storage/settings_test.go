package storage

import (
	"errors"
	"slices"
	"testing"
)

func TestDatabaseBelongsToOneBot(t *testing.T) {
	db := openTest(t)
	if err := db.belongTo(t.Context(), "42"); err != nil {
		t.Fatal(err)
	}
	if err := db.belongTo(t.Context(), "42"); err != nil {
		t.Errorf("with a new token: %v", err)
	}
	if err := db.belongTo(t.Context(), "43"); !errors.Is(err, ErrOtherBot) {
		t.Errorf("of another bot: %v", err)
	}
}

// TestSettingsByName: values are in the order of their names, which may repeat.
func TestSettingsByName(t *testing.T) {
	db := openTest(t)
	for name, value := range map[string]string{"a": "1", "b": "2"} {
		if err := db.SetSetting(t.Context(), name, value); err != nil {
			t.Fatal(err)
		}
	}
	values, err := db.Settings(t.Context(), "b", "c", "a", "b")
	if want := []string{"2", "", "1", "2"}; err != nil || !slices.Equal(values, want) {
		t.Errorf("the values are %q, %v; want %q", values, err, want)
	}
}

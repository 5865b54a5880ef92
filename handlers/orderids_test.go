package handlers

import (
	"encoding/csv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hstockbot/internal/hstock"
	"hstockbot/storage"
)

func TestParseExternalID(t *testing.T) {
	const uuid = "5b0c1f0e-77aa-4c1b-9d2e-1f0a2b3c4d5e"
	for text, want := range map[string]string{
		"23501": "23501", "#23501": "23501", " # 23501 ": "23501", "۲۳۵۰۱": "23501", "२३५०१": "23501", "２３５０１": "23501", "𝟐𝟑𝟓𝟎𝟏": "23501", "𝟿": "9",
		"23,501": "23501", "23 501": "23501", "23.501": "23501", "23٬501": "23501", "#1’234": "1234",
		uuid: uuid, "#" + uuid: uuid, "ORD-7": "ORD-7", "ORD-۷": "ORD-7", "12345678901234567890": "12345678901234567890",
		"": "", "#": "", "0": "", "-5": "", "pending": "", "#pending": "", "two 2": "", "1.5": "", "a,1": "", strings.Repeat("7", 129): "",
	} {
		if got, ok := parseExternalID(text); got != want || ok != (want != "") {
			t.Errorf("%q is parsed as %q, %v, want %q", text, got, ok, want)
		}
	}
}

// TestAnyOrderIDSurvives: every id that is read from an answer can be typed, and stays the
// same in files.
func TestAnyOrderIDSurvives(t *testing.T) {
	l := english(t)
	rapid.Check(t, func(t *rapid.T) {
		id := hstock.ParseOrderID(rapid.OneOf(
			rapid.StringMatching(`[!-~]{0,20}[0-9][!-~]{0,20}`), rapid.StringMatching(`[0-9a-zA-Z_-]{1,64}`), rapid.StringN(1, 40, 150),
		).Draw(t, "id"))
		if id == "" {
			t.Skip("no id")
		}
		for _, typed := range []string{id, " #" + id} {
			if got, ok := parseExternalID(typed); !ok || got != id {
				t.Errorf("%q is parsed as %q, %v", typed, got, ok)
			}
		}
		table := newOrderTable(l, maxExportSize, "Feedback")
		if err := table.add(storage.Order{ExternalID: id, Kind: storage.KindProduct}); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(table.bytes()), "\ufeff"))).ReadAll()
		if err != nil || len(rows) != 2 || rows[1][0] != id && rows[1][0] != "'"+id {
			t.Errorf("%q is written as %q, %v", id, rows, err)
		}
		if name := fileName("order", id, ".txt"); strings.ContainsAny(name, `/\<>:"|?*`) {
			t.Errorf("the file of %q is %q", id, name)
		}
	})
}

// TestQuestionOfBefore: a program of before stored only the next screen.
func TestQuestionOfBefore(t *testing.T) {
	for data, want := range map[string]keyQuestion{
		"": {}, "pr:5": {next: "pr:5"}, "0 ": {}, "17 ": {message: 17}, "17 pr:5": {message: 17, next: "pr:5"},
	} {
		if got := parseKeyQuestion(data); got != want {
			t.Errorf("%q is read as %+v", data, got)
		}
	}
}

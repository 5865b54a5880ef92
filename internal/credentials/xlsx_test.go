package credentials_test

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hstockbot/internal/credentials"
	"hstockbot/internal/redact"
)

// sheet is what a spreadsheet program sees of a file.
type sheet struct {
	Rows []struct {
		Cells []struct {
			Type    string  `xml:"t,attr"`
			Style   int     `xml:"s,attr"`
			Formula *string `xml:"f"`
			Value   *string `xml:"v"`
			Text    string  `xml:"is>t"`
		} `xml:"c"`
	} `xml:"sheetData>row"`
}

var escaped = regexp.MustCompile(`_x[0-9A-Fa-f]{4}_`)

// unescape is what Excel makes of text (ECMA-376, 22.9.2.19, ST_Xstring).
func unescape(text string) string {
	return escaped.ReplaceAllStringFunc(text, func(code string) string {
		n, err := strconv.ParseUint(code[2:6], 16, 16)
		if err != nil {
			panic(err)
		}
		return string(rune(n))
	})
}

func readSheet(t interface{ Fatal(...any) }, file []byte) (rows [][]string) {
	archive, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	content := func(name string) []byte {
		part, err := archive.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	var read sheet
	if err := xml.Unmarshal(content("xl/worksheets/sheet1.xml"), &read); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content("xl/styles.xml")), `numFmtId="49"`) {
		t.Fatal("no style for text")
	}
	for _, row := range read.Rows {
		var cells []string
		for _, cell := range row.Cells {
			if cell.Type != "inlineStr" || cell.Formula != nil || cell.Value != nil || cell.Style == 0 {
				t.Fatal("a cell is not text: ", cell)
			}
			cells = append(cells, unescape(cell.Text))
		}
		rows = append(rows, cells)
	}
	return rows
}

// TestXLSX: nothing is altered, and no cell is a formula, a number or a date.
func TestXLSX(t *testing.T) {
	parts := []string{
		"=1+1", "+1", "-1", "@SUM(A1)", "=HYPERLINK(\"http://x\",\"y\")", "0123", "1e5", "2024-01-02", "TRUE", "12345678901234567890", " a ", "a\tb", "<&>\"'",
		"_x41_", "x0041_", "😀", strings.Repeat("x", 32_767), "",
	}
	var rows [][]redact.Secret
	want := [][]string{{"Login", "Password"}}
	for _, part := range parts {
		rows = append(rows, secrets(part, "p"+part))
		want = append(want, []string{part, "p" + part})
	}
	want[len(want)-2][1] = "p" // a cell can't have 32,768
	rows[len(rows)-2][1] = "p"
	file, err := credentials.Table{Kinds: []credentials.Kind{credentials.Login, credentials.Password}, Rows: rows}.XLSX([]string{"Login", "Password"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, readSheet(t, file)); diff != "" {
		t.Errorf("the cells differ (-want +got):\n%s", diff)
	}
}

// TestNoXLSX: Excel would show other characters.
func TestNoXLSX(t *testing.T) {
	for _, part := range []string{"_x0041_", "a_x005f_", "_xD800_", "_x0041_x0042_"} {
		file, err := credentials.Table{Kinds: make([]credentials.Kind, 2), Rows: [][]redact.Secret{secrets("anna", part)}}.XLSX([]string{"1", "2"})
		if file != nil || err != nil {
			t.Errorf("%s: %d bytes, %v", part, len(file), err)
		}
	}
}

// TestXLSXHoldsEverySplit: what Split has split arrives in the file.
func TestXLSXHoldsEverySplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		password := rapid.OneOf(rapid.StringN(1, 8, 64), rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]string{"_", "x", "0", "4", "F", "5", "=", "D8"}), 1, 20), func(s []string) string { return strings.Join(s, "") }))
		table, ok := credentials.Split(secrets("anna@mail.com\t" + password.Draw(t, "password")))
		if !ok {
			t.Skip("not certain")
		}
		file, err := table.XLSX([]string{"1", "2"})
		if err != nil {
			t.Fatal(err)
		}
		if file == nil {
			t.Skip("not in a cell")
		}
		if diff := cmp.Diff(reveal(table.Rows), readSheet(t, file)[1:]); diff != "" {
			t.Fatalf("the cells differ (-want +got):\n%s", diff)
		}
	})
}

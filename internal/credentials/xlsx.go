package credentials

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/xuri/excelize/v2"

	"hstockbot/internal/redact"
)

// textFormat is the number format "@": a cell that has it stays text, also after a person
// has edited it.
const textFormat = 49

// cellEscape is text that Excel shows as one character (ECMA-376, 22.9.2.19). The library
// escapes it, but not where two of them share an underscore.
var cellEscape = regexp.MustCompile(`_x[0-9A-Fa-f]{4}_`)

// XLSX returns the table as an Excel file, below a row of headings. Every cell is text,
// exactly as the part is: none is a formula, a number or a date. The file is nil if a cell
// could not show a part unchanged.
func (t Table) XLSX(headings []string) (file []byte, err error) {
	if slices.ContainsFunc(slices.Concat(t.Rows...), func(part redact.Secret) bool { return cellEscape.MatchString(part.Reveal()) }) {
		return nil, nil
	}
	book := excelize.NewFile()
	defer func() { err = errors.Join(err, book.Close()) }()
	style, err := book.NewStyle(&excelize.Style{NumFmt: textFormat})
	if err != nil {
		return nil, fmt.Errorf("make text style: %w", err)
	}
	sheet, err := book.NewStreamWriter(book.GetSheetName(0))
	if err != nil {
		return nil, fmt.Errorf("open sheet: %w", err)
	}
	if err := sheet.SetColStyle(1, len(t.Kinds), style); err != nil {
		return nil, fmt.Errorf("set text style: %w", err)
	}
	row := func(number int, values []any) error {
		cell, err := excelize.CoordinatesToCellName(1, number)
		if err != nil {
			return fmt.Errorf("name row %d: %w", number, err)
		}
		if err := sheet.SetRow(cell, values); err != nil {
			return fmt.Errorf("write row %d: %w", number, err)
		}
		return nil
	}
	values := make([]any, len(headings))
	for i, heading := range headings {
		values[i] = excelize.Cell{StyleID: style, Value: heading}
	}
	if err := row(1, values); err != nil {
		return nil, err
	}
	for r, parts := range t.Rows {
		values := make([]any, len(parts))
		for i, part := range parts {
			values[i] = excelize.Cell{StyleID: style, Value: part.Reveal()}
		}
		if err := row(r+2, values); err != nil {
			return nil, err
		}
	}
	if err := sheet.Flush(); err != nil {
		return nil, fmt.Errorf("finish sheet: %w", err)
	}
	var out bytes.Buffer
	if err := book.Write(&out); err != nil {
		return nil, fmt.Errorf("write file: %w", err)
	}
	return out.Bytes(), nil
}

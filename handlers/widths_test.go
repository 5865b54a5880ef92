package handlers_test

import (
	"slices"
	"sync"

	"hstockbot/internal/sandbox/labels"
	"hstockbot/internal/sandbox/telegram"
)

// ruler measures labels. All tests share it.
var ruler = struct {
	sync.Mutex
	open   func() (*labels.Ruler, error)
	widths map[string]float64
}{open: sync.OnceValues(labels.NewRuler), widths: map[string]float64{}}

func (w *world) widthOf(label string) float64 {
	ruler.Lock()
	defer ruler.Unlock()
	width, ok := ruler.widths[label]
	if !ok {
		r, err := ruler.open()
		must(w.T, err)
		width = r.Width(label)
		ruler.widths[label] = width
	}
	return width
}

// checkWidths checks that a phone shows the labels of a message whole where buttons share a
// row. A label that has a row of its own may end in an ellipsis.
func (w *world) checkWidths(m telegram.Message) {
	w.T.Helper()
	for _, row := range m.Keyboard {
		room := map[int]float64{2: labels.Half, 3: labels.Third}[len(row)]
		if room == 0 { // one button, or a row of numbers
			continue
		}
		for _, b := range row {
			if width := w.widthOf(b.Text); width > room && !slices.Contains(w.tooWide, b.Text) {
				w.tooWide = append(w.tooWide, b.Text)
				w.T.Errorf("the label %q is %.0f points wide, and one of %d in its row has %.0f", b.Text, width, len(row), room)
			}
		}
	}
}

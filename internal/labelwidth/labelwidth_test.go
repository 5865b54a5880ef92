package labelwidth_test

import (
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"hstockbot/internal/labelwidth"
	"hstockbot/internal/sandbox/labels"
	"hstockbot/locales"
)

// The estimates are near the widths of a phone's fonts, and no label counts as fitting that
// is cut off.
func TestOf(t *testing.T) {
	ruler, err := labels.NewRuler()
	if err != nil {
		t.Fatal(err)
	}
	languages, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, language := range languages.Languages() {
		var messages map[string]any
		if _, err := toml.DecodeFile("../../locales/"+language.Code+".toml", &messages); err != nil {
			t.Fatal(err)
		}
		checked := 0
		for id, text := range messages {
			label, ok := text.(string)
			if !ok || !strings.Contains(id, "_button") {
				continue
			}
			checked++
			width, estimated := ruler.Width(label), labelwidth.Of(label)
			if estimated < 0.95*width-4 || estimated > 1.25*width+8 {
				t.Errorf("%s: %q is %.0f points wide, estimated as %.0f", language.Code, label, width, estimated)
			}
			for n, room := range map[int]float64{2: labels.Half, 3: labels.Third} {
				row := append([]string{label}, make([]string, n-1)...)
				if width > room && labelwidth.Fit(row...) {
					t.Errorf("%s: %q is %.0f points wide and counts as fitting into %.0f", language.Code, label, width, room)
				}
			}
		}
		if checked < 100 {
			t.Errorf("%s has %d labels", language.Code, checked)
		}
	}
}

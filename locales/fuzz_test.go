package locales

import (
	"strings"
	"testing"
	"testing/fstest"
)

// FuzzLoad: any message file is refused with its name, or all its messages can be shown,
// whatever their arguments are.
func FuzzLoad(f *testing.F) {
	f.Add("language_name = \"English\"\n[a]\none = \"{{.Count}} order of {{.Name}}\"\nother = \"{{.Count}} orders\"\n")
	f.Add("a = \"{{.Count\"\n")
	f.Add("a = \"{{{.Count}}}\"\n")
	f.Add("[a]\none = \"1\"\n")
	f.Add("[a.b]\nother = \"<b>nested</b>\"\n")
	f.Add("a = 1\n")
	f.Add("[[a]]\nother = \"list\"\n")
	f.Fuzz(func(t *testing.T, file string) {
		bundle, err := load(fstest.MapFS{"en.toml": {Data: []byte(file)}})
		if err != nil {
			if !strings.Contains(err.Error(), "en.toml") {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		l := bundle.Localizer("ur") // without a file
		for key := range l.messages {
			args := Args{"Name": "<b>&", "Count": 3}
			for _, shown := range []string{l.T(key, args), l.N(key, 3, args), l.Label(key, args), l.LabelN(key, 3, args)} {
				if strings.Contains(shown, "{{.Name}}") || strings.Contains(shown, "{{.Count}}") {
					t.Errorf("%q has a placeholder that was not replaced", shown)
				}
			}
		}
	})
}

package locales

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// loadText loads message files from their contents by language.
func loadText(t *testing.T, files map[string]string) (*Bundle, error) {
	t.Helper()
	fsys := fstest.MapFS{}
	for code, content := range files {
		fsys[code+".toml"] = &fstest.MapFile{Data: []byte(content)}
	}
	return load(fsys)
}

func mustLoadText(t *testing.T, files map[string]string) *Bundle {
	t.Helper()
	b, err := loadText(t, files)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// loadAll returns a bundle in which every language has a file with its name only.
func loadAll(t *testing.T) *Bundle {
	t.Helper()
	files := map[string]string{}
	for _, code := range codes {
		files[code] = fmt.Sprintf("language_name = %q", "name of "+code)
	}
	return mustLoadText(t, files)
}

func TestLoadRejectsInvalidFiles(t *testing.T) {
	const english = `a_b = "text"`
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"no English", map[string]string{"zh": english}, "en.toml is missing"},
		{"unknown language", map[string]string{"en": english, "eo": english}, "eo.toml"},
		{"other spelling", map[string]string{"en": english, "pt-br": english}, "pt-br.toml"},
		{"bad TOML", map[string]string{"en": `a_b = `}, "en.toml"},
		{"duplicate key", map[string]string{"en": english + "\n" + english}, "en.toml"},
		{"no other", map[string]string{"en": `a_b.one = "text"`}, "a_b"},
		{"unclosed placeholder", map[string]string{"en": `a_b = "{{.Name"`}, "a_b"},
		{"template code", map[string]string{"en": `a_b = "{{if .X}}y{{end}}"`}, "a_b"},
		{"bad placeholder in a form", map[string]string{"en": "a_b.one = \"{{x}}\"\na_b.other = \"x\""}, "a_b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := loadText(t, tt.files)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestLanguages(t *testing.T) {
	b := mustLoadText(t, map[string]string{"zh": `language_name = "中文"`, "pt-BR": `language_name = "Português (Brasil)"`, "en": `language_name = "English"`})
	want := []Language{{"en", "English"}, {"zh", "中文"}, {"pt-BR", "Português (Brasil)"}}
	if diff := cmp.Diff(want, b.Languages()); diff != "" {
		t.Error(diff)
	}
	for _, language := range want {
		if got := b.Localizer(language.Code); got.Lang() != language.Code || got != b.Localizer(language.Code) {
			t.Errorf("Localizer(%q): got %q, or a new one each time", language.Code, got.Lang())
		}
	}
	for _, code := range []string{"", "fr", "xx", "PT-br"} {
		if got := b.Localizer(code).Lang(); got != English {
			t.Errorf("Localizer(%q).Lang() = %q, want English", code, got)
		}
	}
}

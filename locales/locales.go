package locales

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

//go:embed *.toml
var files embed.FS

// English is the code of the original language, which always has a file.
const English = "en"

// Language is a language that people can choose.
type Language struct {
	Code string // in the marketplace's spelling: "zh", "pt-BR"
	Name string // in the language itself: "中文"
}

// Bundle contains all languages. It is safe for concurrent use.
type Bundle struct {
	languages  []Language
	localizers map[string]*Localizer
}

// Load reads the embedded message files. Its error names the file that is not
// valid.
func Load() (*Bundle, error) { return load(files) }

// Languages returns the languages that have a file, in the order of the menu.
func (b *Bundle) Languages() []Language { return b.languages }

// Localizer returns the Localizer of a language, the same one at each call. For a
// code without a file it is the English one.
func (b *Bundle) Localizer(lang string) *Localizer {
	if l, ok := b.localizers[lang]; ok {
		return l
	}
	return b.localizers[English]
}

func load(fsys fs.FS) (*Bundle, error) {
	names, err := fs.Glob(fsys, "*.toml")
	if err != nil {
		return nil, fmt.Errorf("list message files: %w", err)
	}
	b := &Bundle{localizers: make(map[string]*Localizer, len(names))}
	for _, name := range names {
		code := strings.TrimSuffix(name, ".toml")
		if canonical[strings.ToLower(code)] != code {
			return nil, fmt.Errorf("message file %s: %q is not a language of the marketplace", name, code)
		}
		l, err := loadFile(fsys, name, code)
		if err != nil {
			return nil, fmt.Errorf("message file %s: %w", name, err)
		}
		b.localizers[code] = l
	}
	english, ok := b.localizers[English]
	if !ok {
		return nil, fmt.Errorf("message file %s.toml is missing", English)
	}
	for _, code := range codes {
		if l, ok := b.localizers[code]; ok {
			if l != english {
				l.english = english
			}
			b.languages = append(b.languages, Language{Code: code, Name: l.Label("language_name")})
		}
	}
	return b, nil
}

// regionalTags are the tags of codes whose country is not that of most speakers: "pt" is
// Portugal's, because Brazil has a file of its own. Their plurals differ.
var regionalTags = map[string]string{"pt": "pt-PT"}

// loadFile uses a separate go-i18n bundle for each language: in a shared one the
// matcher may return "pt-BR" for "pt", depending on the order of loading.
func loadFile(fsys fs.FS, name, code string) (*Localizer, error) {
	tag, err := language.Parse(cmp.Or(regionalTags[code], code))
	if err != nil {
		return nil, err
	}
	if _, ok := numberRules[code]; !ok {
		return nil, errors.New("its language has no number rule")
	}
	bundle := i18n.NewBundle(tag)
	bundle.RegisterUnmarshalFunc("toml", toml.Unmarshal)
	file, err := bundle.LoadMessageFileFS(fsys, name)
	if err != nil {
		return nil, err
	}
	rule, err := newPluralRule(tag)
	if err != nil {
		return nil, err
	}
	messages := make(map[string]*text, len(file.Messages))
	for _, source := range file.Messages {
		if messages[source.ID], err = compile(source); err != nil {
			return nil, fmt.Errorf("%s: %w", source.ID, err)
		}
	}
	return newLocalizer(code, tag, messages, rule), nil
}

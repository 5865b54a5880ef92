// Package locales owns every word that the bot says: one message file per
// language, choosing a language for a person, and how numbers, money and times
// are written in it.
//
// A message file is named after the marketplace's code for the language
// ("zh.toml", "pt-BR.toml") and is embedded. A language is added by adding its
// file; nothing else changes. en.toml is the original that the others are held
// against, and the text that is shown where another file lacks a message.
//
// Message ids are lower_snake and begin with their screen ("menu_title",
// "menu_button_catalog"). In code an id stands as a whole string literal, or,
// where it is put together, its beginning does, with the underscore that the
// rest follows ("clock_month_" + n). That is how the package's tests find ids
// that are missing or no longer used.
//
// The package knows neither Telegram nor the shop.
package locales

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

//go:embed *.toml
var files embed.FS

// English is the original language, which is always there.
const English = "en"

// Language is one that people can choose.
type Language struct {
	Code string // the marketplace's spelling: "zh", "pt-BR"
	Name string // in the language itself: "中文"
}

// Bundle holds all languages. It is safe for concurrent use.
type Bundle struct {
	languages  []Language
	localizers map[string]*Localizer
}

// Load reads the embedded message files. Its errors are mistakes in a file and
// name it.
func Load() (*Bundle, error) { return load(files) }

// Languages returns the languages that have a file, in the order to offer them.
func (b *Bundle) Languages() []Language { return b.languages }

// Localizer returns the Localizer of one of Languages, always the same one, and
// the English one for any other code.
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
			return nil, fmt.Errorf("message file %s: %q is no language of the marketplace", name, code)
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

// loadFile gives each language a go-i18n bundle of its own: in a shared one
// the matcher may answer "pt" with "pt-BR", depending on the order of loading.
func loadFile(fsys fs.FS, name, code string) (*Localizer, error) {
	tag, err := language.Parse(code)
	if err != nil {
		return nil, err
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

package locales

import (
	"testing"

	"pgregory.net/rapid"
)

func TestMatch(t *testing.T) {
	all := loadAll(t)
	few := mustLoadText(t, map[string]string{"en": `language_name = "English"`, "zh": `language_name = "中文"`})
	for _, tt := range []struct {
		bundle               *Bundle
		code, fallback, want string
	}{
		{all, "en", "zh", "en"},
		{all, "en-GB", "zh", "en"},
		{all, "zh", "en", "zh"},
		{all, "zh-hans", "en", "zh"},
		{all, "zh-Hant", "en", "zh"},
		{all, "zh-HK", "en", "zh"},
		{all, "zh_hans_cn", "en", "zh"},
		{all, "cn", "en", "zh"},
		{all, "pt", "en", "pt"},
		{all, "pt-pt", "en", "pt"},
		{all, "pt-ao", "en", "pt"},
		{all, "pt-br", "en", "pt-BR"},
		{all, "pt_BR", "en", "pt-BR"},
		{all, "PT-BR", "en", "pt-BR"},
		{all, "bn", "en", "bn-BD"},
		{all, "bn-BD", "en", "bn-BD"},
		{all, "bn-in", "en", "bn-BD"},
		{all, "jp", "en", "ja"},
		{all, "jp-JP", "en", "ja"},
		{all, "es-419", "en", "es"},
		{all, "ur-PK", "en", "ur"},
		{all, " ru ", "en", "ru"},
		{all, "iw", "zh", "zh"},       // the old code of Hebrew
		{all, "in", "zh", "zh"},       // the old code of Indonesian, not Hindi
		{all, "fre", "zh", "zh"},      // a longer code with the same beginning
		{all, "ar-", "en", "ar"},      // truncated
		{all, "-", "ko", "ko"},        // only a separator
		{all, "", "de", "de"},         // bots and old apps send no code
		{all, "xx", "pt-br", "pt-BR"}, // the fallback is matched in the same way
		{all, "xx", "yy", "en"},
		{all, "xx", "", "en"},
		{few, "pt-br", "zh", "zh"}, // no file, so the fallback
		{few, "zh-tw", "en", "zh"},
		{few, "fr", "de", "en"},
	} {
		if got := tt.bundle.Match(tt.code, tt.fallback); got != tt.want {
			t.Errorf("Match(%q, %q) = %q, want %q", tt.code, tt.fallback, got, tt.want)
		}
	}
	// Without a file for the region, that of the language is used.
	b := mustLoadText(t, map[string]string{"en": `language_name = "x"`, "pt": `language_name = "x"`})
	if got := b.Match("pt-br", "en"); got != "pt" {
		t.Errorf(`Match("pt-br") = %q without pt-BR, want "pt"`, got)
	}
}

func TestMatchReturnsLanguageWithFile(t *testing.T) {
	b, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		got := b.Match(rapid.String().Draw(t, "code"), rapid.String().Draw(t, "fallback"))
		if b.Localizer(got).Lang() != got {
			t.Fatalf("matched %q, which has no file", got)
		}
	})
}

package locales

import "testing"

// TestName: what turns round ends with the name; other names are as they came.
func TestName(t *testing.T) {
	for name, want := range map[string]string{
		"Gmail Account - USA": "Gmail Account - USA",
		"Gmail 账号":            "Gmail 账号",
		"":                    "",
		"حساب جيميل":          "\u2068حساب جيميل\u2069",
		"stray \u202e mark":   "\u2068stray \u202e mark\u2069",
	} {
		if got := Name(name); got != want {
			t.Errorf("Name(%q) = %q, want %q", name, got, want)
		}
	}
}

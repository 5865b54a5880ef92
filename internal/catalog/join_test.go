package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/hstock"
)

// TestCategoriesRefetchedAfterChange changes the catalogue between the calls for the
// two lists.
func TestCategoriesRefetchedAfterChange(t *testing.T) {
	english := []hstock.Category{{Name: "A"}, {Name: "B"}}
	m := &changingMarket{lists: map[string][][]hstock.Category{
		"":   {{{Name: "A"}}, english},
		"zh": {{{Name: "甲"}, {Name: "乙"}}, {{Name: "甲"}, {Name: "乙"}}},
	}}
	got, err := fetchCategories(t.Context(), m, key, "zh")
	want := []Category{{English: "A", Name: "甲"}, {English: "B", Name: "乙"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, (-want +got):\n%s", err, diff)
	}
}

func TestJoinCategories(t *testing.T) {
	list := func(categories ...hstock.Category) []hstock.Category { return categories }
	category := func(name string, subcategories ...string) hstock.Category {
		return hstock.Category{Name: name, Subcategories: subcategories}
	}
	english := list(category("Games", "Steam", "Xbox"), category("Email", "Gmail"), category("VPN"))
	tests := []struct {
		name       string
		english    []hstock.Category
		translated []hstock.Category
		want       []Category
		rejected   bool
	}{
		{
			name: "translated", english: english,
			translated: list(category("游戏", "蒸汽", "Xbox"), category("邮箱", "谷歌"), category("VPN")),
			want: []Category{
				{"Games", "游戏", []Subcategory{{"Steam", "蒸汽"}, {"Xbox", "Xbox"}}},
				{"Email", "邮箱", []Subcategory{{"Gmail", "谷歌"}}},
				{"VPN", "VPN", nil},
			},
		},
		{name: "empty", want: []Category{}},
		{name: "longer", english: english, translated: append(list(category("a", "b", "c"), category("d", "e")), category("f"), category("g")), rejected: true},
		{name: "shorter", english: english, translated: list(category("a", "b", "c"), category("d", "e")), rejected: true},
		{name: "different number of subcategories", english: english, translated: list(category("a", "b"), category("c", "d"), category("e")), rejected: true},
		{name: "an English name at another position", english: english, translated: list(category("VPN", "b", "c"), category("d", "e"), category("f")), rejected: true},
		{name: "two categories swapped", english: list(category("A"), category("B")), translated: list(category("B"), category("A")), rejected: true},
		{name: "an English subcategory at another position", english: english, translated: list(category("a", "Xbox", "c"), category("d", "e"), category("f")), rejected: true},
		{
			name: "duplicate names", english: list(category("A", "x", "x"), category("A")), translated: list(category("A", "x", "x"), category("A")),
			want: []Category{{"A", "A", []Subcategory{{"x", "x"}}}},
		},
		{
			name: "names missing", english: list(category("", "x"), category("B", "", "y")), translated: list(category("甲", "乙"), category("", "丙", "")),
			want: []Category{{"B", "B", []Subcategory{{"y", "y"}}}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, ok := joinCategories(test.english, test.translated)
			if ok == test.rejected {
				t.Errorf("joined: %v", ok)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

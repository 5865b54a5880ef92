package news

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"hstockbot/storage"
)

// Limits of Selection.Drop, in percent.
const (
	MinDrop     = 1
	MaxDrop     = 90
	defaultDrop = 10
)

// selectionSetting holds the Selection, as JSON.
const selectionSetting = "news_selection"

// Selection is what admins want to be in the news.
type Selection struct {
	Restocks bool  `json:"restocks"`
	Drop     int64 `json:"drop"` // price drops from so many percent on
	// AllNew: new goods of all categories; else of Categories, in English.
	AllNew     bool     `json:"all_new"`
	Categories []string `json:"categories,omitempty"`
}

// NewGoods reports whether new goods of a category are selected.
func (s Selection) NewGoods(category string) bool {
	return s.AllNew || slices.Contains(s.Categories, category)
}

// has reports whether news are selected.
func (s Selection) has(n storage.News) bool {
	switch n.Kind {
	case storage.NewsRestock:
		return s.Restocks
	case storage.NewsDrop:
		return hasDropped(n.OldPrice, n.Price, s.Drop)
	default:
		return s.NewGoods(n.Category)
	}
}

// ReadSelection returns what admins have selected; at first that is everything.
func ReadSelection(ctx context.Context, db *storage.DB) (Selection, error) {
	stored, err := db.Setting(ctx, selectionSetting)
	if err != nil {
		return Selection{}, err
	}
	return parseSelection(stored)
}

// ChangeSelection changes what admins have selected, with an audit entry, and returns it.
func ChangeSelection(ctx context.Context, db *storage.DB, change func(*Selection), entry storage.AuditEntry) (Selection, error) {
	var selection Selection
	err := db.ChangeSettingAudited(ctx, selectionSetting, func(stored string) (string, error) {
		var err error
		if selection, err = parseSelection(stored); err != nil {
			return "", err
		}
		change(&selection)
		encoded, err := json.Marshal(selection)
		return string(encoded), err
	}, entry)
	return selection, err
}

func parseSelection(stored string) (Selection, error) {
	if stored == "" {
		return Selection{Restocks: true, Drop: defaultDrop, AllNew: true}, nil
	}
	var selection Selection
	if err := json.Unmarshal([]byte(stored), &selection); err != nil {
		return Selection{}, fmt.Errorf("decode the selection of news: %w", err)
	}
	selection.Drop = min(max(selection.Drop, MinDrop), MaxDrop)
	return selection, nil
}

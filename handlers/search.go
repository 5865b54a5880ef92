package handlers

import (
	"context"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"hstockbot/bot"
	"hstockbot/internal/catalog"
	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
	"hstockbot/keyboards"
	"hstockbot/locales"
)

const (
	// maxSearchLength limits the words of a search, in characters.
	maxSearchLength = 100
	// minKeyLength is the length from which a word may be an API key, in bytes.
	minKeyLength = 20
)

// search asks for words.
func (s *Screens) search(_ context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	return bot.View{
		Text:     req.L.T("search_ask"),
		Keyboard: keyboards.Foot(req.L, ""),
		Dialog:   dialog(stepSearch, ""),
	}, nil
}

// searchCommand searches for the words after the command, or asks for some.
func (s *Screens) searchCommand(ctx context.Context, req *bot.Request) (bot.View, error) {
	if req.Args == "" {
		return s.search(ctx, req, struct{}{})
	}
	return s.searchFor(ctx, req, req.Args, bot.View{Keyboard: keyboards.Foot(req.L, ""), Dialog: dialog(stepSearch, "")})
}

func (s *Screens) searchTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	return s.searchFor(ctx, req, req.Text, bot.View{Keyboard: keyboards.Foot(req.L, ""), KeepDialog: true})
}

// searchFor searches for words in the whole catalogue. If nothing is shown, the view
// is none with a text that says why.
func (s *Screens) searchFor(ctx context.Context, req *bot.Request, words string, none bot.View) (bot.View, error) {
	words = strings.Join(strings.Fields(words), " ")
	switch {
	case containsKey(words):
		return withoutResults(none, misplacedKey(ctx, req)), nil
	case !searchable(words):
		none.Text = req.L.T("search_no_words")
		return none, nil
	case tooLong(words):
		none.Text = req.L.T("search_too_long", locales.Args{"Most": req.L.Number(maxSearchLength)})
		return none, nil
	}
	items, fresh, err := s.searchItems(ctx, req, words)
	if len(items) == 0 && mayBeKey(words) {
		if err != nil {
			return bot.View{}, err
		}
		return withoutResults(none, misplacedKey(ctx, req)), nil
	}
	if err == nil && len(items) == 0 {
		none.Text = req.L.T("search_nothing", locales.Args{"Query": req.L.Name(words)}) + staleNote(req.L, fresh)
		return none, nil
	}
	// The search is stored even if it failed, because "Try again" carries its id.
	id, storeErr := s.DB.AddSearch(ctx, req.User.ID, words)
	if storeErr != nil {
		return bot.View{}, errors.Join(err, storeErr)
	}
	args := keyboards.FoundArgs{Search: id}
	if err != nil {
		return bot.View{}, bot.ErrorAt(keyboards.Found.Data(args), err)
	}
	return s.foundView(req, args, words, items, fresh), nil
}

// withoutResults shows a view in place of results, and keeps the dialog of none.
func withoutResults(none, view bot.View) bot.View {
	none.Text, none.Keyboard = view.Text, view.Keyboard
	return none
}

// found repeats one of the person's searches and shows a page of the results.
func (s *Screens) found(ctx context.Context, req *bot.Request, args keyboards.FoundArgs) (bot.View, error) {
	words, err := s.DB.Search(ctx, req.User.ID, args.Search)
	if err != nil {
		return bot.View{}, err
	}
	items, fresh, err := s.searchItems(ctx, req, words)
	if err != nil {
		return bot.View{}, err
	}
	return s.foundView(req, args, words, items, fresh), nil
}

func (s *Screens) searchItems(ctx context.Context, req *bot.Request, words string) ([]hstock.Item, catalog.Freshness, error) {
	access, err := s.access(ctx, req.User.ID)
	if err != nil {
		return nil, catalog.Freshness{}, err
	}
	return s.Catalog.Search(ctx, access, req.L.Lang(), words)
}

func (s *Screens) foundView(req *bot.Request, args keyboards.FoundArgs, words string, items []hstock.Item, fresh catalog.Freshness) bot.View {
	id := "search_found"
	if len(items) == 0 {
		id = "search_nothing"
	}
	list := keyboards.ProductList{From: keyboards.FromSearch, Search: args.Search, Page: args.Page}
	return bot.View{
		Text:     req.L.T(id, locales.Args{"Query": req.L.Name(words)}) + staleNote(req.L, fresh),
		Keyboard: s.goodsKeyboard(req, list, items, keyboards.Search.Data(struct{}{})),
	}
}

// searchable reports whether a text contains words or digits, not only emoji and
// punctuation.
func searchable(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) })
}

func tooLong(words string) bool { return utf8.RuneCountInString(words) > maxSearchLength }

// containsKey reports whether a text may contain an API key; then it is neither
// searched for nor stored nor repeated. The format of keys is not documented. So a
// key is any run of at least minKeyLength ASCII letters, digits, - and _ with at
// least one digit; item names have no such run. Links and addresses may have one and
// are ignored. A key need not stand alone ("key:…", or Chinese text around it).
func containsKey(text string) bool {
	for word := range strings.FieldsSeq(text) {
		if strings.ContainsAny(strings.TrimRight(word, ".,;:!?"), "/@.") {
			continue
		}
		for run := range strings.FieldsFuncSeq(word, func(r rune) bool { return r > unicode.MaxASCII || !isKeyRune(r) }) {
			if len(run) >= minKeyLength && strings.ContainsAny(run, "0123456789") {
				return true
			}
		}
	}
	return false
}

// mayBeKey reports whether one word may be a key that is too short for containsKey. The
// name of an item may look like one, so a word counts as a key only if nothing is found.
func mayBeKey(word string) bool {
	return plausibleKey(redact.Secret(word)) && !strings.ContainsAny(word, "/@.") &&
		strings.ContainsAny(word, "0123456789") && strings.ContainsFunc(word, unicode.IsLetter)
}

// mayHoldKey reports whether a text may contain an API key, or is the command for one.
func mayHoldKey(text string) bool {
	return containsKey(text) || strings.HasPrefix(strings.ToLower(text), "/key")
}

func isKeyRune(r rune) bool { return r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

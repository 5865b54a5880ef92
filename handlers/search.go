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
	"hstockbot/keyboards"
	"hstockbot/locales"
)

const (
	// searchLength is how long words may be that are looked for, in characters.
	searchLength = 100
	// keyLength is from how many characters on a word may be an API key.
	keyLength = 20
)

// search asks for words.
func (s *Screens) search(_ context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	return bot.View{
		Text:     req.L.T("search_ask"),
		Keyboard: keyboards.Foot(req.L, ""),
		Dialog:   dialog(stepSearch, ""),
	}, nil
}

// searchCommand looks for the words behind the command, or asks for some.
func (s *Screens) searchCommand(ctx context.Context, req *bot.Request) (bot.View, error) {
	if req.Args == "" {
		return s.search(ctx, req, struct{}{})
	}
	return s.find(ctx, req, req.Args, bot.View{Keyboard: keyboards.Foot(req.L, ""), Dialog: dialog(stepSearch, "")})
}

func (s *Screens) searchTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	return s.find(ctx, req, req.Text, bot.View{Keyboard: keyboards.Foot(req.L, ""), KeepDialog: true})
}

// find looks for words in the whole catalogue. Where there is nothing to show,
// none says why.
func (s *Screens) find(ctx context.Context, req *bot.Request, words string, none bot.View) (bot.View, error) {
	words = strings.Join(strings.Fields(words), " ")
	switch {
	case hasKey(words):
		none.Text, none.Keyboard = req.L.T("search_key"), keyboards.KeyHintKeyboard(req.L)
		return none, nil
	case !hasWords(words):
		none.Text = req.L.T("search_no_words")
		return none, nil
	case isTooLong(words):
		none.Text = req.L.T("search_too_long", locales.Args{"Most": req.L.Number(searchLength)})
		return none, nil
	}
	rows, fresh, err := s.foundRows(ctx, req, words)
	if err == nil && len(rows) == 0 {
		none.Text = req.L.T("search_nothing", locales.Args{"Query": req.L.Name(words)}) + staleNote(req.L, fresh)
		return none, nil
	}
	// Kept also where nothing could be found for want of a key or an answer: that
	// is tried again by the search's own button.
	search, keepErr := s.DB.AddSearch(ctx, req.User.ID, words)
	if keepErr != nil {
		return bot.View{}, errors.Join(err, keepErr)
	}
	args := keyboards.FoundArgs{Search: search}
	if err != nil {
		return bot.View{}, bot.ErrorAt(keyboards.Found.Data(args), err)
	}
	return s.foundView(ctx, req, args, words, rows, fresh), nil
}

// found shows a page of what a search of the person's finds now.
func (s *Screens) found(ctx context.Context, req *bot.Request, args keyboards.FoundArgs) (bot.View, error) {
	words, err := s.DB.Search(ctx, req.User.ID, args.Search)
	if err != nil {
		return bot.View{}, err
	}
	rows, fresh, err := s.foundRows(ctx, req, words)
	if err != nil {
		return bot.View{}, err
	}
	return s.foundView(ctx, req, args, words, rows, fresh), nil
}

func (s *Screens) foundRows(ctx context.Context, req *bot.Request, words string) ([]hstock.Item, catalog.Freshness, error) {
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return nil, catalog.Freshness{}, err
	}
	return s.Catalog.Search(ctx, key, req.L.Lang(), words)
}

func (s *Screens) foundView(ctx context.Context, req *bot.Request, args keyboards.FoundArgs, words string, rows []hstock.Item, fresh catalog.Freshness) bot.View {
	id := "search_found"
	if len(rows) == 0 {
		id = "search_nothing"
	}
	list := keyboards.ProductList{From: keyboards.FromSearch, Search: args.Search, Page: args.Page}
	return bot.View{
		Text:     req.L.T(id, locales.Args{"Query": req.L.Name(words)}) + staleNote(req.L, fresh),
		Keyboard: s.goodsKeyboard(ctx, req, list, rows, keyboards.Search.Data(struct{}{})),
	}
}

// hasWords reports whether there is anything to look for: emoji and signs are not.
func hasWords(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) })
}

func isTooLong(words string) bool { return utf8.RuneCountInString(words) > searchLength }

// hasKey reports whether a text looks as if an API key were in it, which is then
// neither looked for nor stored nor repeated. Nothing says how keys look, so it is
// any run of 20 and more Latin letters and digits, some of them digits, perhaps with
// - and _ between: no name of goods has one. What stands around it is no part of it
// ("key:…", and Chinese needs no space before it). Links and addresses may have
// such runs.
func hasKey(text string) bool {
	for word := range strings.FieldsSeq(text) {
		if strings.ContainsAny(strings.TrimRight(word, ".,;:!?"), "/@.") {
			continue
		}
		for run := range strings.FieldsFuncSeq(word, func(r rune) bool { return r > unicode.MaxASCII || !isKeyRune(r) }) {
			if len(run) >= keyLength && strings.ContainsAny(run, "0123456789") {
				return true
			}
		}
	}
	return false
}

func isKeyRune(r rune) bool { return r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

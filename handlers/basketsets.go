package handlers

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"hstockbot/bot"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

const (
	// maxSets limits the saved sets of a person, setNameLength the name of one, in characters.
	maxSets       = 8
	setNameLength = 24
)

// basketSave asks for the name of a set that the services of the basket are saved as, and
// lists the sets that there are; a tap removes one.
func (s *Screens) basketSave(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	sets, err := s.DB.BasketSets(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	b, err := s.DB.Basket(ctx, req.User.ID, 0)
	if err := ignore(err, storage.ErrNotFound); err != nil {
		return bot.View{}, err
	}
	text := req.L.T("basket_set_ask")
	if slices.ContainsFunc(b.Lines, func(line storage.BasketLine) bool { return line.Kind != storage.KindSMM }) {
		text += "\n\n" + req.L.T("basket_set_goods")
	}
	return bot.View{
		Text: text, Dialog: dialog(stepSet, ""),
		Keyboard: keyboards.BasketSetsKeyboard(req.L, setEntries(req.L, "🗑", sets, func(set int64) string {
			return keyboards.BasketSetRemove.Data(keyboards.BasketSetArgs{Set: set})
		})),
	}, nil
}

// setEntries lists sets as "Boost: 501 × 1,000 + 733 × 200".
func setEntries(l *locales.Localizer, icon string, sets []storage.BasketSet, data func(set int64) string) (entries []keyboards.Item) {
	for _, set := range sets {
		if set.Damaged != nil {
			continue
		}
		var goods []string
		for _, line := range setLines(set) {
			goods = append(goods, strconv.FormatInt(line.service, 10)+" × "+l.Number(line.quantity))
		}
		entries = append(entries, keyboards.Item{Icon: icon, Name: set.Name + ": " + strings.Join(goods, " + "), Data: data(set.ID)})
	}
	return entries
}

// setLines returns the lines of a set, without a link.
func setLines(set storage.BasketSet) []pastedLine {
	lines, _ := parseLines(strings.ReplaceAll(set.Lines, " ", "||"))
	return lines
}

// setNamed saves the SMM services of the basket as a set.
func (s *Screens) setNamed(ctx context.Context, req *bot.Request) (bot.View, error) {
	name := strings.Join(strings.Fields(req.Text), " ")
	if name == "" || utf8.RuneCountInString(name) > setNameLength {
		return askAgain(req.L.T("basket_set_ask"), keyboards.Foot(req.L, keyboards.Basket.Data(struct{}{}))), nil
	}
	b, err := s.DB.Basket(ctx, req.User.ID, 0)
	if err != nil {
		return bot.View{}, err
	}
	var lines []string
	for _, line := range b.Lines {
		if goods := strconv.FormatInt(line.Service, 10) + " " + strconv.FormatInt(line.Quantity, 10); line.Kind == storage.KindSMM && !slices.Contains(lines, goods) {
			lines = append(lines, goods)
		}
	}
	if len(lines) == 0 {
		return bot.View{}, storage.ErrNotFound
	}
	err = s.DB.SaveBasketSet(ctx, req.UpdateID, storage.BasketSet{UserID: req.User.ID, Name: name, Lines: strings.Join(lines, "\n"), CreatedAt: time.Now()}, maxSets)
	if errors.Is(err, storage.ErrFull) {
		return bot.View{}, userErr("basket_set_full", locales.Args{"Most": int64(maxSets)})
	}
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{Text: req.L.T("basket_set_saved"), Keyboard: keyboards.Foot(req.L, keyboards.Basket.Data(struct{}{}))}, nil
}

// basketSet puts the services of a set into the basket, with the pasted link.
func (s *Screens) basketSet(ctx context.Context, req *bot.Request, args keyboards.BasketSetArgs) (bot.View, error) {
	address, _, err := s.storedLink(ctx, req, args.Link)
	if err != nil {
		return bot.View{}, err
	}
	sets, err := s.DB.BasketSets(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	i := slices.IndexFunc(sets, func(set storage.BasketSet) bool { return set.ID == args.Set })
	if i < 0 {
		return bot.View{}, storage.ErrNotFound
	}
	lines := setLines(sets[i])
	for i := range lines {
		lines[i].link = address
	}
	return s.linesPasted(ctx, req, lines)
}

// basketSetRemove removes a set.
func (s *Screens) basketSetRemove(ctx context.Context, req *bot.Request, args keyboards.BasketSetArgs) (bot.View, error) {
	if err := s.DB.RemoveBasketSet(ctx, req.User.ID, args.Set); err != nil {
		return bot.View{}, err
	}
	view, err := s.basketSave(ctx, req, struct{}{})
	view.Toast = req.L.Label("saved_removed_toast")
	return view, err
}

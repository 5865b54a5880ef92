package handlers

import (
	"context"

	"hstockbot/bot"
	"hstockbot/internal/route"
	"hstockbot/keyboards"
	"hstockbot/storage"
)

func (s *Screens) language(_ context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	return bot.View{Text: req.L.T("language_text"), Keyboard: keyboards.LanguageKeyboard(req.L, s.Bundle.Languages())}, nil
}

// setLanguage stores the language that a person chose and shows the menu in it.
func (s *Screens) setLanguage(ctx context.Context, req *bot.Request, args keyboards.LanguageArgs) (bot.View, error) {
	for _, language := range s.Bundle.Languages() {
		if route.HashOf(language.Code) != args.Lang {
			continue
		}
		if err := s.DB.SetLang(ctx, req.User.ID, language.Code); err != nil {
			return bot.View{}, err
		}
		s.Announcer.refreshStaff(ctx, req.User.ID)
		l := s.Bundle.Localizer(language.Code)
		view, err := s.menuIn(ctx, l, req.User)
		view.Toast = l.Label("language_saved")
		return view, err
	}
	return bot.View{}, storage.ErrNotFound
}

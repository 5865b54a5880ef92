package handlers

import (
	"context"

	"hstockbot/bot"
	"hstockbot/internal/route"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

func (s *Screens) languageView(l *locales.Localizer) bot.View {
	return bot.View{Text: l.T("language_text"), Keyboard: keyboards.LanguageKeyboard(l, s.Bundle.Languages())}
}

func (s *Screens) language(_ context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	return s.languageView(req.L), nil
}

func (s *Screens) languageCommand(_ context.Context, req *bot.Request) (bot.View, error) {
	return s.languageView(req.L), nil
}

// setLanguage keeps a language chosen by hand, for good, and shows the menu in it.
func (s *Screens) setLanguage(ctx context.Context, req *bot.Request, args keyboards.LanguageArgs) (bot.View, error) {
	for _, language := range s.Bundle.Languages() {
		if route.HashOf(language.Code) != args.Lang {
			continue
		}
		if err := s.DB.SetLang(ctx, req.User.ID, language.Code); err != nil {
			return bot.View{}, err
		}
		s.Announcer.noticeAdmin(ctx, req.User.ID)
		l := s.Bundle.Localizer(language.Code)
		view := menuView(l)
		view.Toast = l.Label("language_saved")
		return view, nil
	}
	return bot.View{}, storage.ErrNotFound
}

package handlers

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"hstockbot/bot"
	"hstockbot/internal/outbox"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// The shop's own greeting and links are settings, one of each for a language. A language
// without them has those of the default language, and else the built-in text and no links.
// Links are stored as lines "label|address".
const (
	greetingText  = "greeting."
	greetingLinks = "links."
)

const (
	// maxLinks limits the links of a language, linkLabelLength the label of one, in
	// characters: two stand in a row.
	maxLinks        = 4
	linkLabelLength = 28
	// greetedName stands for the person's first name in a greeting.
	greetedName = "{name}"
)

// greetingWords are a greeting and links as they are stored, each "" for none.
type greetingWords struct{ text, links string }

// ownWords returns what is stored for a language.
func (s *Screens) ownWords(ctx context.Context, lang string) (own greetingWords, err error) {
	values, err := s.DB.Settings(ctx, greetingText+lang, greetingLinks+lang)
	if err != nil {
		return own, err
	}
	return greetingWords{text: values[0], links: values[1]}, nil
}

// words returns what people who read a language see.
func (s *Screens) words(ctx context.Context, lang string) (greetingWords, error) {
	values, err := s.DB.Settings(ctx, greetingText+lang, greetingText+s.DefaultLang, greetingLinks+lang, greetingLinks+s.DefaultLang)
	if err != nil {
		return greetingWords{}, err
	}
	return greetingWords{text: cmp.Or(values[0], values[1]), links: cmp.Or(values[2], values[3])}, nil
}

// greeting greets a person with the menu, in a language.
func (s *Screens) greeting(ctx context.Context, l *locales.Localizer, user bot.User) (bot.View, error) {
	contents, err := s.DB.MenuContents(ctx, user.ID, time.Now())
	if err != nil {
		return bot.View{}, err
	}
	return s.greetingWith(ctx, l, user, contents)
}

// greetingWith is greeting for a menu that leads to certain things.
func (s *Screens) greetingWith(ctx context.Context, l *locales.Localizer, user bot.User, contents storage.MenuContents) (bot.View, error) {
	words, err := s.words(ctx, l.Lang())
	return greetingView(l, user, words, keyboards.MenuParts{Basket: contents.Basket, News: contents.News}), err
}

// greetingView is the greeting as a person sees it.
func greetingView(l *locales.Localizer, user bot.User, words greetingWords, parts keyboards.MenuParts) bot.View {
	view := bot.View{
		Text:     l.T("start_text", locales.Args{"Name": firstName(user)}),
		Keyboard: append(keyboards.MenuKeyboard(l, parts), keyboards.LinkRows(storedLinks(words.links))...),
	}
	if words.text != "" {
		view.Text = withName(words.text, l.Name(firstName(user)))
	}
	return view
}

// htmlTag matches a tag of checked markup.
var htmlTag = regexp.MustCompile(`<(?:"[^"]*"|'[^']*'|[^"'>])*>`)

// withName replaces greetedName in a greeting, outside of its tags.
func withName(text, name string) string {
	var b strings.Builder
	end, fill := 0, strings.NewReplacer(greetedName, locales.Escape(name))
	for _, tag := range htmlTag.FindAllStringIndex(text, -1) {
		b.WriteString(fill.Replace(text[end:tag[0]]) + text[tag[0]:tag[1]])
		end = tag[1]
	}
	return b.String() + fill.Replace(text[end:])
}

func storedLinks(lines string) (links []keyboards.Link) {
	for line := range strings.Lines(lines) {
		label, address, _ := strings.Cut(strings.TrimSpace(line), "|")
		links = append(links, keyboards.Link{Label: label, URL: address})
	}
	return links
}

// greetingLanguages lists the languages; those with a text or links of their own are ticked.
func (s *Screens) greetingLanguages(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	languages := s.Bundle.Languages()
	var names []string
	for _, language := range languages {
		names = append(names, greetingText+language.Code, greetingLinks+language.Code)
	}
	values, err := s.DB.Settings(ctx, names...)
	if err != nil {
		return bot.View{}, err
	}
	written, fallback := map[string]bool{}, ""
	for i, language := range languages {
		written[language.Code] = values[2*i] != "" || values[2*i+1] != ""
		if language.Code == s.DefaultLang {
			fallback = language.Name
		}
	}
	return bot.View{
		Text:     req.L.T("greeting_languages", locales.Args{"Language": req.L.Name(fallback)}),
		Keyboard: keyboards.GreetingLanguagesKeyboard(req.L, languages, written),
	}, nil
}

// greetingShow shows what a language has of its own.
func (s *Screens) greetingShow(ctx context.Context, req *bot.Request, args keyboards.LanguageArgs) (bot.View, error) {
	l := req.L
	language, own, err := s.greetingOf(ctx, l, args)
	if err != nil {
		return bot.View{}, err
	}
	lines := []string{l.T("greeting_title", locales.Args{"Language": l.Name(language.Name)}), ""}
	lines = append(lines, present(l, "greeting_text", "greeting_no_text", own.text)...)
	lines = append(append(lines, ""), present(l, "greeting_links", "greeting_no_links", own.links)...)
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.GreetingKeyboard(l, args)}, nil
}

// greetingOf returns a language, and what it has of its own.
func (s *Screens) greetingOf(ctx context.Context, l *locales.Localizer, args keyboards.LanguageArgs) (language locales.Language, own greetingWords, err error) {
	if args.Lang == "" { // that of a text for everyone
		return language, own, storage.ErrNotFound
	}
	if language.Code, language.Name, err = s.textLanguage(l, args.Lang); err == nil {
		own, err = s.ownWords(ctx, language.Code)
	}
	return language, own, err
}

// present shows what is stored as it was typed, or the message none.
func present(l *locales.Localizer, heading, none, stored string) []string {
	if stored == "" {
		return []string{l.T(none)}
	}
	return []string{l.T(heading), "<pre>" + locales.Escape(locales.Shorten(strings.ReplaceAll(stored, "|", " | "), shownTextLength)) + "</pre>"}
}

// greetingTextAsk asks for the text of a language.
func (s *Screens) greetingTextAsk(ctx context.Context, req *bot.Request, args keyboards.LanguageArgs) (bot.View, error) {
	l := req.L
	language, own, err := s.greetingOf(ctx, l, args)
	if err != nil {
		return bot.View{}, err
	}
	lines := []string{l.T("broadcast_ask", locales.Args{"Language": l.Name(language.Name)}), "", l.T("greeting_name"), "", l.T("broadcast_markup")}
	if own.text != "" {
		lines = append(append(lines, ""), present(l, "broadcast_present", "", own.text)...)
	}
	return bot.View{
		Text:     strings.Join(lines, "\n"),
		Keyboard: keyboards.GreetingTextKeyboard(l, args, own.text != ""),
		Dialog:   dialog(stepGreeting, keyboards.GreetingShow.Data(args)),
	}, nil
}

// greetingAgain says what is wrong, and asks again. Back leads to what the language has.
func greetingAgain(req *bot.Request, id string, args locales.Args) bot.View {
	return askAgain(req.L.T(id, args), keyboards.Foot(req.L, req.Data))
}

// longestName is as long as a first name can be, in characters of two UTF-16 units.
var longestName = strings.Repeat("😀", 64)

// greetingTyped stores a text after it was shown as people see it.
func (s *Screens) greetingTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	text := strings.TrimSpace(req.Text)
	err := bot.CheckMarkup(text)
	if err == nil {
		err = bot.CheckMarkup(withName(text, longestName)) // it may be too long
	}
	if reason := markupErrorText(req.L, err); reason != "" {
		return greetingAgain(req, "broadcast_fault", locales.Args{"Why": locales.HTML(reason)}), nil
	}
	return s.setGreeting(ctx, req, greetingWords{text: text})
}

// greetingLinksAsk asks for the links of a language.
func (s *Screens) greetingLinksAsk(ctx context.Context, req *bot.Request, args keyboards.LanguageArgs) (bot.View, error) {
	l := req.L
	language, own, err := s.greetingOf(ctx, l, args)
	if err != nil {
		return bot.View{}, err
	}
	lines := []string{l.T("greeting_links_ask", locales.Args{"Language": l.Name(language.Name), "Most": int64(maxLinks)})}
	if own.links != "" {
		lines = append(append(lines, ""), present(l, "greeting_links", "", own.links)...)
	}
	return bot.View{
		Text:     strings.Join(lines, "\n"),
		Keyboard: keyboards.GreetingLinksKeyboard(l, args, own.links != ""),
		Dialog:   dialog(stepGreetingLinks, keyboards.GreetingShow.Data(args)),
	}, nil
}

// greetingLinksTyped stores links after they were shown as people see them.
func (s *Screens) greetingLinksTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	var links, bad []string
	for line := range strings.Lines(req.Text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		label, address, why := parseLabelledLink(line)
		links = append(links, label+"|"+address)
		if why != "" && len(bad) < listedBad {
			bad = append(bad, badRow(req.L, pastedLine{place: int64(len(links)), text: line, bad: why}))
		}
	}
	switch {
	case len(bad) > 0:
		return greetingAgain(req, "greeting_links_bad", locales.Args{"Why": locales.HTML(strings.Join(bad, "\n"))}), nil
	case len(links) == 0 || len(links) > maxLinks:
		return greetingAgain(req, "greeting_links_count", locales.Args{"Most": int64(maxLinks)}), nil
	}
	return s.setGreeting(ctx, req, greetingWords{links: strings.Join(links, "\n")})
}

// parseLabelledLink parses "label | address". why is the message that says what is wrong.
func parseLabelledLink(line string) (label, address, why string) {
	label, address, ok := strings.Cut(bars.Replace(line), "|")
	label = strings.Join(strings.Fields(label), " ")
	if !ok {
		return "", "", "greeting_link_parts"
	}
	if n := utf8.RuneCountInString(label); n == 0 || n > linkLabelLength || strings.ContainsFunc(label, unicode.IsControl) {
		return "", "", "greeting_link_label"
	}
	if address, ok = buttonAddress(address); !ok {
		return "", "", "greeting_link_address"
	}
	return label, address, ""
}

// telegramName matches a username of Telegram's.
var telegramName = regexp.MustCompile(`^[A-Za-z]\w{3,31}$`)

// buttonAddress parses the address of a button: a page under https, without a name or a
// password, or a chat of Telegram's.
func buttonAddress(text string) (string, bool) {
	text = strings.TrimSpace(text)
	if u, err := url.Parse(text); err == nil && u.Scheme == "tg" {
		return text, u.Host == "resolve" && u.User == nil && telegramName.MatchString(u.Query().Get("domain")) &&
			len(text) <= maxLinkLength && !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
	}
	address, ok := parseLink(text)
	u, err := url.Parse(address)
	return address, ok && err == nil && u.Scheme == "https"
}

// setGreeting shows the greeting of the dialog's language with a new text or new links, and
// stores them if Telegram accepts them.
func (s *Screens) setGreeting(ctx context.Context, req *bot.Request, typed greetingWords) (bot.View, error) {
	args, err := parse(keyboards.GreetingShow, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	language, own, err := s.greetingOf(ctx, req.L, args)
	if err != nil {
		return bot.View{}, err
	}
	seen, err := s.words(ctx, language.Code)
	if err != nil {
		return bot.View{}, err
	}
	if view, err := s.showGreeting(ctx, req, language, greetingWords{cmp.Or(typed.text, seen.text), cmp.Or(typed.links, seen.links)}); err != nil || view.Text != "" {
		return view, err
	}
	setting, action, before, after := greetingText, actionGreeting, own.text, typed.text
	if typed.links != "" {
		setting, action, before, after = greetingLinks, actionGreetingLinks, own.links, typed.links
	}
	if err := s.storeGreeting(ctx, req, language, setting, action, before, after); err != nil {
		return bot.View{}, err
	}
	view, err := inNewMessage(s.greetingShow(ctx, req, args)) // below the preview
	view.Text = req.L.T("greeting_preview") + "\n\n" + view.Text
	return view, err
}

// showGreeting sends the greeting as people see it. If Telegram refuses it, the view says so.
func (s *Screens) showGreeting(ctx context.Context, req *bot.Request, language locales.Language, words greetingWords) (bot.View, error) {
	view, _ := inNewMessage(greetingView(s.Bundle.Localizer(language.Code), req.User, words, keyboards.MenuParts{}), nil)
	err := req.Show(ctx, view)
	var failure *bot.Error
	if errors.Is(err, outbox.ErrRejected) && errors.As(err, &failure) {
		reason := req.L.T("broadcast_fault_telegram", locales.Args{"Language": req.L.Name(language.Name), "Words": req.L.Isolate(failure.Description)})
		return greetingAgain(req, "broadcast_fault", locales.Args{"Why": locales.HTML(reason)}), nil
	}
	return bot.View{}, err
}

// storeGreeting stores a text or links. The log says for which language, and no words.
func (s *Screens) storeGreeting(ctx context.Context, req *bot.Request, language locales.Language, setting, action, before, after string) error {
	if before == after {
		return nil
	}
	return s.DB.SetSettingAudited(ctx, setting+language.Code, after, storage.AuditEntry{AdminID: req.User.ID, Action: action, Detail: language.Name, At: time.Now()})
}

// greetingPreview sends the greeting of a language as people see it.
func (s *Screens) greetingPreview(ctx context.Context, req *bot.Request, args keyboards.LanguageArgs) (bot.View, error) {
	language, _, err := s.greetingOf(ctx, req.L, args)
	if err != nil {
		return bot.View{}, err
	}
	words, err := s.words(ctx, language.Code)
	if err != nil {
		return bot.View{}, err
	}
	return inNewMessage(greetingView(s.Bundle.Localizer(language.Code), req.User, words, keyboards.MenuParts{}), nil)
}

func (s *Screens) greetingTextRemove(ctx context.Context, req *bot.Request, args keyboards.LanguageArgs) (bot.View, error) {
	language, own, err := s.greetingOf(ctx, req.L, args)
	if err == nil {
		err = s.storeGreeting(ctx, req, language, greetingText, actionGreetingRemoved, own.text, "")
	}
	if err != nil {
		return bot.View{}, err
	}
	return s.greetingShow(ctx, req, args)
}

func (s *Screens) greetingLinksRemove(ctx context.Context, req *bot.Request, args keyboards.LanguageArgs) (bot.View, error) {
	language, own, err := s.greetingOf(ctx, req.L, args)
	if err == nil {
		err = s.storeGreeting(ctx, req, language, greetingLinks, actionGreetingLinksRemoved, own.links, "")
	}
	if err != nil {
		return bot.View{}, err
	}
	return s.greetingShow(ctx, req, args)
}

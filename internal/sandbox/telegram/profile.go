package telegram

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Limits of what a bot says of itself (Bot API: setMyCommands, setMyDescription,
// setMyShortDescription). The last is what Telegram's servers were seen to take.
const (
	maxCommands           = 100
	maxCommandDescription = 256
	maxDescription        = 512
	maxShortDescription   = 120
	maxCommandsBytes      = 7800
)

var (
	commandName = regexp.MustCompile(`^[a-z0-9_]{1,32}$`)
	twoLetters  = regexp.MustCompile(`^[a-z]{2}$`)
)

// Command is a Bot API BotCommand.
type Command struct {
	Command     string `json:"command"`
	Description string `json:"description"`
}

// profile is what the bot says of itself: commands by scope and language, texts
// by language.
type profile struct {
	commands          map[commandsOf][]Command
	descriptions      map[string]string
	shortDescriptions map[string]string
}

type commandsOf struct{ scope, lang string }

func newProfile() profile {
	return profile{
		commands:          map[commandsOf][]Command{},
		descriptions:      map[string]string{},
		shortDescriptions: map[string]string{},
	}
}

// Commands returns what setMyCommands left for exactly that scope and language.
// A scope is its type, with the chat's and the member's id where it has them:
// "default", "all_private_chats", "chat:42", "chat_member:-5:42". "" is the
// default scope; a language of "" is that of everybody else.
func (s *Server) Commands(scope, lang string) []Command {
	if scope == "" {
		scope = "default"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.profile.commands[commandsOf{scope, lang}])
}

// Commands returns the command menu that this person sees (Bot API: "Determining
// list of commands").
func (c *Client) Commands() []Command {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	lang, _, _ := strings.Cut(strings.ToLower(c.c.person.LanguageCode), "-")
	for _, scope := range []string{"chat:" + strconv.FormatInt(c.c.id, 10), "all_private_chats", "default"} {
		for _, lang := range []string{lang, ""} {
			if list, ok := c.s.profile.commands[commandsOf{scope, lang}]; ok {
				return slices.Clone(list)
			}
		}
	}
	return nil
}

// Description returns what an empty chat with the bot says in a language, ""
// being that of everybody else; short is what its profile says.
func (s *Server) Description(lang string) (text, short string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.profile.descriptions[lang], s.profile.shortDescriptions[lang]
}

func language(a args) (string, *apiError) {
	lang := a.str("language_code")
	if lang != "" && !twoLetters.MatchString(lang) {
		return "", badRequest("invalid language code specified")
	}
	return lang, nil
}

// scope reads scope and language_code.
func (s *Server) scope(a args) (of commandsOf, err *apiError) {
	if of.lang, err = language(a); err != nil {
		return of, err
	}
	of.scope = "default"
	object, ok := a["scope"].node.(map[string]any)
	if !ok {
		return of, nil
	}
	of.scope, _ = object["type"].(string)
	if chatID, ok := object["chat_id"]; ok {
		id, err := strconv.ParseInt(fmt.Sprint(chatID), 10, 64)
		if c := s.chats[id]; err != nil || c == nil || (of.scope != "chat" && c.kind == "private") {
			return of, badRequest("chat not found")
		}
		of.scope += ":" + strconv.FormatInt(id, 10)
	}
	if user, ok := object["user_id"]; ok {
		of.scope += ":" + strconv.FormatInt(number(user), 10)
	}
	return of, nil
}

func (s *Server) setMyCommands(a args) (any, *apiError) {
	of, err := s.scope(a)
	if err != nil {
		return nil, err
	}
	var list []Command
	raw := canonical(a["commands"].node)
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, badRequest("can't parse commands: %v", err)
	}
	if len(list) > maxCommands || len(raw) > maxCommandsBytes {
		return nil, badRequest("BOT_COMMANDS_TOO_MUCH")
	}
	for _, c := range list {
		switch {
		case c.Command == "":
			return nil, badRequest("command must be non-empty")
		case utf16Len(c.Command) > 32:
			return nil, badRequest("command length must not exceed 32")
		case !commandName.MatchString(c.Command):
			return nil, badRequest("BOT_COMMAND_INVALID")
		case strings.TrimSpace(c.Description) == "":
			return nil, badRequest("command description must be non-empty")
		case utf16Len(c.Description) > maxCommandDescription:
			return nil, badRequest("command description length must not exceed %d", maxCommandDescription)
		}
	}
	if len(list) == 0 {
		delete(s.profile.commands, of)
	} else {
		s.profile.commands[of] = list
	}
	s.changed(nil)
	return true, nil
}

func (s *Server) getMyCommands(a args) (any, *apiError) {
	of, err := s.scope(a)
	if err != nil {
		return nil, err
	}
	return append([]Command{}, s.profile.commands[of]...), nil
}

func (s *Server) deleteMyCommands(a args) (any, *apiError) {
	of, err := s.scope(a)
	if err != nil {
		return nil, err
	}
	delete(s.profile.commands, of)
	s.changed(nil)
	return true, nil
}

// setText is setMyDescription and setMyShortDescription; an empty text removes it.
func (s *Server) setText(a args, field string, texts map[string]string, limit int) (any, *apiError) {
	lang, err := language(a)
	if err != nil {
		return nil, err
	}
	text := strings.TrimSpace(cleanText(a.str(field)))
	switch {
	case utf16Len(text) > limit && field == "description":
		return nil, badRequest("BOT_DESCRIPTION_TOO_LONG")
	case utf16Len(text) > limit:
		return nil, badRequest("BOT_SHORT_DESCRIPTION_TOO_LONG")
	case text == "":
		delete(texts, lang)
	default:
		texts[lang] = text
	}
	s.changed(nil)
	return true, nil
}

// getText answers in the language asked for, or in that of everybody.
func (s *Server) getText(a args, field string, texts map[string]string) (any, *apiError) {
	lang, err := language(a)
	if err != nil {
		return nil, err
	}
	text, ok := texts[lang]
	if !ok {
		text = texts[""]
	}
	return map[string]string{field: text}, nil
}

// me is the bot as getMe shows it.
func (s *Server) me() any {
	return struct {
		wireUser
		JoinsGroups bool `json:"can_join_groups"`
		ReadsAll    bool `json:"can_read_all_group_messages"`
		Inline      bool `json:"supports_inline_queries"`
		Business    bool `json:"can_connect_to_business"`
		WebApp      bool `json:"has_main_web_app"`
	}{wireUser: s.bot.wire(true), JoinsGroups: true, Inline: true}
}

func (s *Server) getChat(a args) (any, *apiError) {
	c, err := s.target(a)
	if err != nil {
		return nil, err
	}
	gifts := map[string]bool{
		"unlimited_gifts": false, "limited_gifts": false, "unique_gifts": false,
		"premium_subscription": false, "gifts_from_channels": false,
	}
	return struct {
		wireChat
		Accent    int `json:"accent_color_id"`
		Reactions int `json:"max_reaction_count"`
		Gifts     any `json:"accepted_gift_types"`
	}{wireChat: c.wire(), Reactions: 11, Gifts: gifts}, nil
}

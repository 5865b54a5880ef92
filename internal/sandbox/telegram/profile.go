package telegram

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Limits of the bot's profile (Bot API: setMyCommands, setMyDescription,
// setMyShortDescription). maxCommandsBytes is not documented; it was observed.
const (
	maxCommands           = 100
	maxCommandDescription = 256
	maxDescription        = 512
	maxShortDescription   = 120
	maxCommandsBytes      = 7800
)

var (
	commandNameFormat  = regexp.MustCompile(`^[a-z0-9_]{1,32}$`)
	languageCodeFormat = regexp.MustCompile(`^[a-z]{2}$`)
)

// Command is a Bot API BotCommand.
type Command struct {
	Command     string `json:"command"`
	Description string `json:"description"`
}

// profile is the bot's profile.
type profile struct {
	commands map[commandsKey][]Command
	texts    map[string]map[string]string // by "description" or "short_description", then by language
}

type commandsKey struct{ scope, lang string }

func newProfile() profile {
	return profile{
		commands: map[commandsKey][]Command{},
		texts:    map[string]map[string]string{"description": {}, "short_description": {}},
	}
}

// Commands returns the commands that setMyCommands set for exactly this scope and
// language. A scope is its type, with the ids of its chat and its member if it has
// them: "default", "all_private_chats", "chat:42", "chat_member:-5:42". The scope
// "" is "default"; the language "" applies to languages without their own commands.
func (s *Server) Commands(scope, lang string) []Command {
	if scope == "" {
		scope = "default"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.profile.commands[commandsKey{scope, lang}])
}

// Commands returns the command menu that the person sees (Bot API: "Determining
// list of commands").
func (c *Client) Commands() []Command {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	lang, _, _ := strings.Cut(strings.ToLower(c.chat.person.LanguageCode), "-")
	for _, scope := range []string{"chat:" + strconv.FormatInt(c.chat.id, 10), "all_private_chats", "default"} {
		for _, lang := range []string{lang, ""} {
			if list, ok := c.s.profile.commands[commandsKey{scope, lang}]; ok {
				return slices.Clone(list)
			}
		}
	}
	return nil
}

// Description returns the description that an empty chat shows and the short
// description of the bot's profile, as set for exactly this language.
func (s *Server) Description(lang string) (text, short string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.profile.texts["description"][lang], s.profile.texts["short_description"][lang]
}

func languageCode(a args) (string, *apiError) {
	lang := a.str("language_code")
	if lang != "" && !languageCodeFormat.MatchString(lang) {
		return "", badRequest("invalid language code specified")
	}
	return lang, nil
}

// commandsKey reads scope and language_code.
func (s *Server) commandsKey(a args) (key commandsKey, err *apiError) {
	if key.lang, err = languageCode(a); err != nil {
		return key, err
	}
	key.scope = "default"
	object, ok := a["scope"].node.(map[string]any)
	if !ok {
		return key, nil
	}
	key.scope, _ = object["type"].(string)
	if chatID, ok := object["chat_id"]; ok {
		id, err := strconv.ParseInt(fmt.Sprint(chatID), 10, 64)
		if c := s.chats[id]; err != nil || c == nil || (key.scope != "chat" && c.kind == "private") {
			return key, badRequest("chat not found")
		}
		key.scope += ":" + strconv.FormatInt(id, 10)
	}
	if user, ok := object["user_id"]; ok {
		key.scope += ":" + strconv.FormatInt(nodeInteger(user), 10)
	}
	return key, nil
}

func (s *Server) setMyCommands(a args) (any, *apiError) {
	key, err := s.commandsKey(a)
	if err != nil {
		return nil, err
	}
	var list []Command
	raw := canonicalJSON(a["commands"].node)
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
		case !commandNameFormat.MatchString(c.Command):
			return nil, badRequest("BOT_COMMAND_INVALID")
		case strings.TrimSpace(c.Description) == "":
			return nil, badRequest("command description must be non-empty")
		case utf16Len(c.Description) > maxCommandDescription:
			return nil, badRequest("command description length must not exceed %d", maxCommandDescription)
		}
	}
	if len(list) == 0 {
		delete(s.profile.commands, key)
	} else {
		s.profile.commands[key] = list
	}
	s.changed(nil)
	return true, nil
}

func (s *Server) getMyCommands(a args) (any, *apiError) {
	key, err := s.commandsKey(a)
	if err != nil {
		return nil, err
	}
	return append([]Command{}, s.profile.commands[key]...), nil
}

func (s *Server) deleteMyCommands(a args) (any, *apiError) {
	key, err := s.commandsKey(a)
	if err != nil {
		return nil, err
	}
	delete(s.profile.commands, key)
	s.changed(nil)
	return true, nil
}

// setDescription is setMyDescription and setMyShortDescription; an empty text
// removes the description.
func (s *Server) setDescription(a args, field string) (any, *apiError) {
	lang, err := languageCode(a)
	if err != nil {
		return nil, err
	}
	text := strings.TrimSpace(cleanText(a.str(field)))
	switch n := utf16Len(text); {
	case field == "description" && n > maxDescription:
		return nil, badRequest("BOT_DESCRIPTION_TOO_LONG")
	case field == "short_description" && n > maxShortDescription:
		return nil, badRequest("BOT_SHORT_DESCRIPTION_TOO_LONG")
	case n == 0:
		delete(s.profile.texts[field], lang)
	default:
		s.profile.texts[field][lang] = text
	}
	s.changed(nil)
	return true, nil
}

// getDescription is getMyDescription and getMyShortDescription.
func (s *Server) getDescription(a args, field string) (any, *apiError) {
	lang, err := languageCode(a)
	if err != nil {
		return nil, err
	}
	texts := s.profile.texts[field]
	text, ok := texts[lang]
	if !ok {
		text = texts[""]
	}
	return map[string]string{field: text}, nil
}

func (s *Server) getMe(args) (any, *apiError) {
	return struct {
		wireUser
		JoinsGroups bool `json:"can_join_groups"`
		ReadsAll    bool `json:"can_read_all_group_messages"`
		Inline      bool `json:"supports_inline_queries"`
		Business    bool `json:"can_connect_to_business"`
		WebApp      bool `json:"has_main_web_app"`
	}{wireUser: s.bot.wire(true), JoinsGroups: true, Inline: !s.opts.NoInline}, nil
}

func (s *Server) getChat(a args) (any, *apiError) {
	c, err := s.targetChat(a)
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

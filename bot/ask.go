package bot

// AskButton is a button of a keyboard below the text field (Bot API:
// ReplyKeyboardMarkup, KeyboardButton). With Chat or Users it opens a choice, whose answer
// is Request.SharedChat or Request.SharedUsers; without both it types its Label.
type AskButton struct {
	Label string        `json:"text"`
	Chat  *ChatRequest  `json:"request_chat,omitempty"`
	Users *UsersRequest `json:"request_users,omitempty"`
}

// ChatRequest asks for a group or a channel (Bot API: KeyboardButtonRequestChat).
type ChatRequest struct {
	ID      int32 `json:"request_id"` // of the button within its message; the answer has it
	Channel bool  `json:"chat_is_channel"`
	Forum   *bool `json:"chat_is_forum,omitempty"` // nil = both
	// UserRights are those that the person must have there, and BotRights those that their
	// app gives the bot. UserRights must have all of BotRights.
	UserRights *AdminRights `json:"user_administrator_rights,omitempty"`
	BotRights  *AdminRights `json:"bot_administrator_rights,omitempty"`
	BotMember  bool         `json:"bot_is_member,omitempty"` // the bot is added if it is not there
	Title      bool         `json:"request_title,omitempty"`
}

// AdminRights are rights in a group or a channel (Bot API: ChatAdministratorRights). The
// library's type has a field that Telegram refuses. Those without a Go name are required
// and false.
type AdminRights struct {
	Post         bool `json:"can_post_messages,omitempty"` // in a channel
	Edit         bool `json:"can_edit_messages,omitempty"` // in a channel
	ManageTopics bool `json:"can_manage_topics,omitempty"` // in a group
	unusedRights
}

type unusedRights struct {
	Anonymous        bool `json:"is_anonymous"`
	ManageChat       bool `json:"can_manage_chat"`
	DeleteMessages   bool `json:"can_delete_messages"`
	ManageVideoChats bool `json:"can_manage_video_chats"`
	RestrictMembers  bool `json:"can_restrict_members"`
	PromoteMembers   bool `json:"can_promote_members"`
	ChangeInfo       bool `json:"can_change_info"`
	InviteUsers      bool `json:"can_invite_users"`
	PostStories      bool `json:"can_post_stories"`
	EditStories      bool `json:"can_edit_stories"`
	DeleteStories    bool `json:"can_delete_stories"`
}

// UsersRequest asks for people, who are not bots (Bot API: KeyboardButtonRequestUsers).
type UsersRequest struct {
	ID   int32 `json:"request_id"`             // of the button within its message; the answer has it
	Most int   `json:"max_quantity,omitempty"` // 1 to 10; 0 = 1
	Bot  *bool `json:"user_is_bot,omitempty"`  // nil = both
	Name bool  `json:"request_name,omitempty"`
}

// SharedChat is the chat that a person has chosen (Bot API: ChatShared). What Telegram
// sends is what the person's app says: the bot need not be there.
type SharedChat struct {
	RequestID int32  `json:"request_id"`
	ID        int64  `json:"chat_id"`
	Title     string `json:"title,omitempty"` // if it was requested
}

// SharedUsers are the people that a person has chosen (Bot API: UsersShared). They need
// not have met the bot.
type SharedUsers struct {
	RequestID int32        `json:"request_id"`
	Users     []SharedUser `json:"users"`
}

// SharedUser is one of them (Bot API: SharedUser).
type SharedUser struct {
	ID        int64  `json:"user_id"`
	FirstName string `json:"first_name,omitempty"` // if it was requested
}

// replyMarkup is a keyboard below the text field.
type replyMarkup struct {
	Keyboard [][]AskButton `json:"keyboard"`
	Resize   bool          `json:"resize_keyboard"`
	OneTime  bool          `json:"one_time_keyboard"`
}

// replyKeyboard returns a keyboard with one button a row.
func replyKeyboard(buttons []AskButton) replyMarkup {
	markup := replyMarkup{Resize: true, OneTime: true}
	for _, button := range buttons {
		markup.Keyboard = append(markup.Keyboard, []AskButton{button})
	}
	return markup
}

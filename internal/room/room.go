package room

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"hstockbot/internal/loop"
	"hstockbot/internal/outbox"
	"hstockbot/storage"
)

// Why a chat can't be reached, as storage.Room.Fault has it.
const (
	FaultGone    = "gone"    // the bot is not there, or the chat no longer exists
	FaultRights  = "rights"  // the bot may not write there
	FaultRefused = "refused" // Telegram refuses an alert there for another reason
)

// The kinds of messages to admins, as the database has them. DecodeNotice reads their
// bodies.
const (
	MessageLost      = "room_lost"  // the chat can't be reached
	MessageTopicLost = "room_topic" // a topic was deleted
)

// What became of a topic that was deleted, as Notice.Fault has it; "": the bot may not make
// it again, so the chat is used as it is.
const (
	TopicRemade = "remade" // it was made again
	TopicUnsure = "unsure" // maybe it was, but the answer is lost, so the chat is used as it is
)

// Actions of the audit log, after the kind of the room: "room_lost". That of the choice is
// the kind itself.
const (
	actionOff   = "_off"
	actionMoved = "_moved"
	actionLost  = "_lost"
	actionBack  = "_back"
	actionHour  = "_hour"
)

// ErrPrivate says that a private chat can't be a room.
var ErrPrivate = errors.New("a private chat can't be a room")

// Notice is the body of a MessageLost or a MessageTopicLost.
type Notice struct {
	Room  storage.RoomKind  `json:"room"`
	Fault string            `json:"fault,omitempty"`
	Topic storage.RoomTopic `json:"topic,omitempty"`
}

// DecodeNotice reads the body of a MessageLost or a MessageTopicLost.
func DecodeNotice(m storage.Message) (Notice, error) {
	var n Notice
	if err := json.Unmarshal(m.Body, &n); err != nil {
		return Notice{}, fmt.Errorf("decode notice of a room: %w", err)
	}
	return n, nil
}

// Topics are the topics of a room, in the order in which they are made.
var Topics = []storage.RoomTopic{storage.TopicAlerts, storage.TopicOrders, storage.TopicDaily}

// Poster renders and sends. Its errors are those of package outbox for groups.
type Poster interface {
	// MakeTopic makes a topic. The error is outbox.ErrNoRights, or outbox.ErrRejected where
	// the chat has no topics.
	MakeTopic(ctx context.Context, chat int64, topic storage.RoomTopic) (thread int64, err error)
	// CheckTopic returns outbox.ErrNoTopic where a topic does not exist. It posts nothing.
	CheckTopic(ctx context.Context, chat, thread int64) error
	// PostTest posts what arrives in a topic or a chat.
	PostTest(ctx context.Context, chat, thread int64, topics []storage.RoomTopic) error
	// PostReport posts what admins are told.
	PostReport(ctx context.Context, chat, thread int64, m storage.RoomMessage) error
	// PostLine posts the line of a purchase, or edits its message if it has one, and returns
	// the id of the message.
	PostLine(ctx context.Context, chat, thread int64, p storage.RoomPurchase) (messageID int64, err error)
	// PostDaily posts the figures of a day.
	PostDaily(ctx context.Context, chat, thread int64, day time.Time) error
}

// Options configures a Service. AdminIDs may be empty.
type Options struct {
	DB       *storage.DB
	Poster   Poster
	Log      *slog.Logger
	AdminIDs []int64
	Zone     *time.Location // of the hour of daily figures
	Wake     func()         // called after messages to admins were stored
}

// Service posts in the room.
type Service struct {
	Options
	loop *loop.Loop
	// uncertain is how often a message or the line of a purchase was posted without an
	// answer, by its id. Only rounds use it.
	uncertain map[int64]int

	mu sync.Mutex
	// unrecorded records what was posted or made and could not be recorded.
	unrecorded []func(context.Context) error
}

// New returns a Service that is not started.
func New(o Options) *Service {
	s := &Service{Options: o, uncertain: map[int64]int{}}
	s.loop = loop.New("room", o.Log, s.round)
	return s
}

// Start begins posting. Calling it again does nothing.
func (s *Service) Start() { s.loop.Start() }

// Stop ends posting and waits for the post in flight until ctx is done. It may be called
// several times.
func (s *Service) Stop(ctx context.Context) error { return s.loop.Stop(ctx) }

// Bind makes a group the room: it makes its topics if it can, and posts what arrives
// there. noRight reports that the group has topics and the bot may not make any. The error
// is ErrPrivate, storage.ErrRoomTaken, outbox.ErrUnreachable where the bot is not there,
// outbox.ErrNoRights where it may not write, or transient.
func (s *Service) Bind(ctx context.Context, admin, chat int64, title string) (r storage.Room, noRight bool, err error) {
	r, noRight, err = s.bind(ctx, admin, chat, title)
	if moved, ok := errors.AsType[*outbox.MovedError](err); ok {
		return s.bind(ctx, admin, moved.To, title)
	}
	return r, noRight, err
}

func (s *Service) bind(ctx context.Context, admin, chat int64, title string) (r storage.Room, noRight bool, err error) {
	if chat >= 0 {
		return r, false, ErrPrivate
	}
	before, err := s.DB.RoomInChat(ctx, chat)
	switch {
	case err == nil && before.Kind != storage.RoomStaff:
		return r, false, storage.ErrRoomTaken
	case err != nil && !errors.Is(err, storage.ErrNotFound):
		return r, false, err
	}
	now := time.Now()
	r = storage.Room{
		Kind: storage.RoomStaff, ChatID: chat, Title: title, BoundBy: admin, BoundAt: now, SentUntil: now,
		AlertsTopic: before.AlertsTopic, OrdersTopic: before.OrdersTopic, DailyTopic: before.DailyTopic,
		DailyHour: defaultHour, DailyDay: s.dueDay(defaultHour, now).Format(time.DateOnly),
	}
	if noRight, err = s.makeTopics(ctx, &r); err == nil {
		_, err = s.postTests(ctx, r)
	}
	if errors.Is(err, outbox.ErrNoTopic) { // one of before was deleted
		r.AlertsTopic, r.OrdersTopic, r.DailyTopic = 0, 0, 0
		if noRight, err = s.makeTopics(ctx, &r); err == nil {
			_, err = s.postTests(ctx, r)
		}
	}
	if err != nil {
		return r, false, err
	}
	r, err = s.DB.BindRoom(ctx, r, s.entry(r, admin, "", ""))
	if err == nil {
		s.loop.Wake()
	}
	return r, noRight, err
}

// makeTopics makes those topics that the room lacks.
func (s *Service) makeTopics(ctx context.Context, r *storage.Room) (noRight bool, err error) {
	threads := map[storage.RoomTopic]*int64{storage.TopicAlerts: &r.AlertsTopic, storage.TopicOrders: &r.OrdersTopic, storage.TopicDaily: &r.DailyTopic}
	for _, topic := range Topics {
		thread := threads[topic]
		if *thread != 0 {
			continue
		}
		switch *thread, err = s.Poster.MakeTopic(ctx, r.ChatID, topic); {
		case errors.Is(err, outbox.ErrNoRights):
			return true, nil
		case errors.Is(err, outbox.ErrRejected):
			return false, nil // the group has no topics
		case err != nil:
			return false, err
		}
	}
	return false, nil
}

// postTests posts in each topic what arrives there, once where several arrive in one place.
// failed is the topic of the error.
func (s *Service) postTests(ctx context.Context, r storage.Room) (failed storage.RoomTopic, err error) {
	for _, topic := range Topics {
		sharing := slices.DeleteFunc(slices.Clone(Topics), func(t storage.RoomTopic) bool { return r.Topic(t) != r.Topic(topic) })
		if sharing[0] != topic {
			continue
		}
		if err := s.Poster.PostTest(ctx, r.ChatID, r.Topic(topic), sharing); err != nil {
			return topic, err
		}
	}
	return "", nil
}

// Test posts in each topic what arrives there, and returns the room as it is then: a
// topic that was deleted is made again, and whether the chat can be reached is recorded.
// The error is storage.ErrNotFound where there is no room, or transient.
func (s *Service) Test(ctx context.Context) (storage.Room, error) {
	err := s.recordPending(ctx)
	if err != nil {
		return storage.Room{}, err
	}
	for range 2 * len(Topics) { // each topic may be missing
		var r storage.Room
		if r, err = s.DB.Room(ctx, storage.RoomStaff); err != nil {
			return r, err
		}
		topic, postErr := s.postTests(ctx, r)
		if err = s.handle(ctx, r, topic, postErr); err == nil {
			if _, err = s.DB.MendRoom(ctx, r, s.entry(r, 0, actionBack, "")); err != nil {
				return r, err
			}
			s.loop.Wake()
			return s.DB.Room(ctx, storage.RoomStaff)
		}
		if errors.Is(err, outbox.ErrRejected) {
			s.Log.Error("test rejected in the room", "error", err)
			if err = s.Break(ctx, r, FaultRefused); err == nil {
				err = errChanged
			}
		}
		if !errors.Is(err, errChanged) {
			return r, err
		}
		if r, readErr := s.DB.Room(ctx, storage.RoomStaff); readErr != nil || r.Fault != "" {
			return r, readErr
		}
	}
	return storage.Room{}, err
}

// Unbind forgets the room of a kind. What waits for it goes to the admins.
func (s *Service) Unbind(ctx context.Context, kind storage.RoomKind, admin int64) error {
	r, err := s.DB.Room(ctx, kind)
	if err != nil {
		return err
	}
	_, err = s.DB.UnbindRoom(ctx, r, s.AdminIDs, s.entry(r, admin, actionOff, ""))
	s.Wake()
	return err
}

// Moved records that a group has become a supergroup.
func (s *Service) Moved(ctx context.Context, from, to int64) error {
	r, err := s.DB.RoomInChat(ctx, from)
	if err != nil {
		return ignoreNotFound(err)
	}
	_, err = s.DB.MoveRoom(ctx, from, to, s.entry(r, 0, actionMoved, ""))
	return err
}

// Changed records whether the bot is in a chat and may write there, if the chat is a room.
func (s *Service) Changed(ctx context.Context, chat int64, member, mayPost bool) error {
	r, err := s.DB.RoomInChat(ctx, chat)
	switch {
	case err != nil:
		return ignoreNotFound(err)
	case !member:
		return s.Break(ctx, r, FaultGone)
	case !mayPost:
		return s.Break(ctx, r, FaultRights)
	}
	_, err = s.DB.MendRoom(ctx, r, s.entry(r, 0, actionBack, ""))
	s.loop.Wake()
	return err
}

// Break records why a room of any kind can't be reached, and tells the admins, once.
func (s *Service) Break(ctx context.Context, r storage.Room, fault string) error {
	notice, err := s.notice(MessageLost, Notice{Room: r.Kind, Fault: fault})
	if err != nil {
		return err
	}
	broken, err := s.DB.BreakRoom(ctx, r, fault, notice, s.entry(r, 0, actionLost, fault))
	if broken {
		s.Log.Warn("room lost", "kind", r.Kind, "fault", fault)
		s.Wake()
	}
	return err
}

func (s *Service) notice(kind string, n Notice) (storage.RoomNotice, error) {
	body, err := json.Marshal(n)
	if err != nil {
		return storage.RoomNotice{}, fmt.Errorf("encode notice of a room: %w", err)
	}
	return storage.RoomNotice{Admins: s.AdminIDs, Message: storage.Message{Kind: kind, Priority: outbox.PriorityStatus, Body: body, CreatedAt: time.Now()}}, nil
}

// entry returns an audit entry; admin 0 is the bot itself.
func (s *Service) entry(r storage.Room, admin int64, action, detail string) storage.AuditEntry {
	return storage.AuditEntry{AdminID: admin, Action: string(r.Kind) + action, Detail: detail, At: time.Now()}
}

func ignoreNotFound(err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	return err
}

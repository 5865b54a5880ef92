package news

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"time"

	"hstockbot/internal/outbox"
	"hstockbot/storage"
)

const (
	// PostEvery is the time between two posts.
	PostEvery = 15 * time.Minute
	// MaxLines is how many news a post lists. It counts the others.
	MaxLines = 10
	// maxEdits bounds the posts that are edited after a round: with the new post they keep
	// to the 20 messages a minute of a channel.
	maxEdits = 15
	// maxEditFailures is how often a post that can't be edited is tried.
	maxEditFailures = 3
	// postRetry is the time until a post that certainly was not sent is tried again.
	postRetry = time.Minute
	// markTimeout bounds the recording of a post, also while the process stops.
	markTimeout = 5 * time.Second
	// maxWait is how long news wait for a channel that can't be posted to.
	maxWait = 24 * time.Hour
)

// Why the channel can't be posted to: values of storage.Room.Fault, which package room
// shares.
const (
	FaultGone     = "gone"   // the bot is not there
	FaultNoRights = "rights" // it may not post
)

// Values of storage.AuditEntry.Action, which package room shares.
const (
	actionMoved = "channel_moved"
	actionBack  = "channel_back"
)

// Post is a post in the channel: its lines, and how many further news it counts.
type Post struct {
	Lines []storage.News
	More  int64
}

// publish edits the posts that are out of date, and posts what waits.
func (s *Service) publish(ctx context.Context) error {
	if s.mark != nil {
		if err := s.mark(ctx); err != nil {
			return err
		}
		s.mark = nil
	}
	room, err := s.DB.Room(ctx, storage.RoomChannel)
	if errors.Is(err, storage.ErrNotFound) {
		return s.DB.CloseWaitingNews(ctx, math.MaxInt64)
	}
	if err != nil {
		return err
	}
	last, _, err := s.last(ctx)
	if err == nil {
		err = s.DB.CloseWaitingNews(ctx, last.Clock-maxWait.Milliseconds())
	}
	if err == nil && room.Fault != "" {
		room, err = s.mend(ctx, room)
	}
	if err != nil || room.Fault != "" {
		return err
	}
	err = s.postDue(ctx, room, last.Clock)
	room, roomErr := s.DB.Room(ctx, storage.RoomChannel) // it may be lost or moved since
	if roomErr != nil || room.Fault != "" {
		return errors.Join(err, roomErr)
	}
	return errors.Join(err, s.edit(ctx, room, last.Clock))
}

// postDue posts what waits if a post is due.
func (s *Service) postDue(ctx context.Context, room storage.Room, clock int64) (err error) {
	if s.postAt.IsZero() {
		if s.postAt, err = s.nextPost(ctx); err != nil {
			return err
		}
	}
	if time.Now().Before(s.postAt) {
		return nil
	}
	return s.post(ctx, room, clock)
}

// nextPost returns when the next post is due after a start. The time of the last one is one
// of the wall clock, which may have been set since.
func (s *Service) nextPost(ctx context.Context) (time.Time, error) {
	stored, err := s.DB.Setting(ctx, storage.NewsPostedSetting)
	pause := time.Duration(0)
	if ms, parseErr := strconv.ParseInt(stored, 10, 64); parseErr == nil {
		pause = min(max(time.UnixMilli(ms).Add(PostEvery).Sub(s.Wall()), 0), PostEvery)
	}
	return time.Now().Add(pause), err
}

// mend looks whether a channel can be posted to again, and returns it as it is then.
func (s *Service) mend(ctx context.Context, room storage.Room) (storage.Room, error) {
	fault, err := s.Fault(ctx, room.ChatID)
	if err != nil || fault != "" {
		return room, err
	}
	_, err = s.DB.MendRoom(ctx, room, storage.AuditEntry{Action: actionBack, At: s.Wall()})
	room.Fault = ""
	return room, err
}

// post posts what waits, can still be bought and is still selected. clock is that of the
// last round.
func (s *Service) post(ctx context.Context, room storage.Room, clock int64) error {
	selection, err := ReadSelection(ctx, s.DB)
	if err != nil {
		return err
	}
	waiting, err := s.DB.WaitingNews(ctx)
	if err != nil || len(waiting) == 0 {
		return err
	}
	lines := linesOf(waiting, selection)
	if len(lines) == 0 {
		return s.DB.CloseWaitingNews(ctx, clock)
	}
	listed := lines[:min(len(lines), MaxLines)]
	post := Post{Lines: listed, More: int64(len(lines) - len(listed))}
	messageID, err := s.Post(ctx, room.ChatID, post)
	for errors.Is(err, outbox.ErrRejected) && len(post.Lines) > 1 {
		// A half without the line that is refused is posted now, the others later.
		post.Lines = post.Lines[:len(post.Lines)/2]
		messageID, err = s.Post(ctx, room.ChatID, post)
	}
	later := listed[len(post.Lines):]
	if moved, ok := errors.AsType[*outbox.MovedError](err); ok { // a group that was chosen with an odd app
		_, err = s.DB.MoveRoom(ctx, room.ChatID, moved.To, storage.AuditEntry{Action: actionMoved, At: s.Wall()})
		return err
	}
	switch fault := faultOf(err); {
	case err == nil:
		// A process that is killed here posts this once more.
		s.postAt = time.Now().Add(PostEvery)
		s.mark = func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), markTimeout)
			defer cancel()
			return s.DB.MarkNewsPosted(ctx, room.ChatID, messageID, post.Lines, post.More, clock, s.Wall(), later...)
		}
		if err = s.mark(ctx); err == nil {
			s.mark = nil
		}
		return err
	case fault != "":
		return s.Lose(ctx, room, fault)
	case errors.Is(err, outbox.ErrUncertain): // it may be there, and would not be found again
		s.postAt = time.Now().Add(PostEvery)
		return errors.Join(err, s.DB.CloseWaitingNews(ctx, clock, later...))
	case errors.Is(err, outbox.ErrRejected): // this line never will be there
		s.postAt = time.Now().Add(postRetry)
		return errors.Join(err, s.DB.CloseNews(ctx, post.Lines[0].ID))
	default:
		s.postAt = time.Now().Add(postRetry)
		return err
	}
}

// linesOf returns the news that a post lists and counts: what can be bought, still holds and
// is selected, the newest of each kind about a service, by kind.
func linesOf(waiting []storage.News, selection Selection) (lines []storage.News) {
	type subject struct {
		kind    storage.NewsKind
		service int64
	}
	seen := map[subject]bool{}
	for _, n := range slices.Backward(waiting) {
		about := subject{n.Kind, n.Service}
		if n.InStock && n.GoneClock == 0 && !seen[about] && atPresentPrice(&n) && selection.has(n) {
			lines = append(lines, n)
		}
		seen[about] = true
	}
	slices.Reverse(lines)
	place := map[storage.NewsKind]int{storage.NewsRestock: 0, storage.NewsDrop: 1, storage.NewsNew: 2}
	slices.SortStableFunc(lines, func(a, b storage.News) int { return place[a.Kind] - place[b.Kind] })
	return lines
}

// atPresentPrice gives news the present price of the service. It reports false, and leaves
// the price, if that has another currency, or is more than the one that it had fallen to.
func atPresentPrice(n *storage.News) bool {
	if n.PresentCurrency != n.Currency || n.Kind == storage.NewsDrop && n.PresentPrice.GreaterThan(n.Price) {
		return false
	}
	n.Price = n.PresentPrice
	return true
}

// edit edits the posts with lines that have sold out since, or can be bought again. One that
// can't be edited does not keep the others from it.
func (s *Service) edit(ctx context.Context, room storage.Room, clock int64) error {
	posted, err := s.DB.PostedNews(ctx, room.ChatID)
	if err != nil {
		return err
	}
	for edits := 0; len(posted) > 0 && edits < maxEdits; { // the others after the next round
		first := posted[0]
		count := slices.IndexFunc(posted, func(n storage.News) bool { return n.MessageID != first.MessageID })
		if count < 0 {
			count = len(posted)
		}
		lines := posted[:count]
		posted = posted[count:]
		if !strike(lines, clock) {
			continue
		}
		edits++
		lost, editErr := s.editPost(ctx, room, lines)
		err = errors.Join(err, editErr)
		if lost || ctx.Err() != nil {
			break
		}
	}
	return err
}

// strike sets which lines are sold out, and reports whether that has changed. What is not
// listed for a moment is not.
func strike(lines []storage.News, clock int64) (changed bool) {
	for i := range lines {
		n := &lines[i]
		atPresentPrice(n) // else the price of before stays
		soldOut := !n.InStock || n.GoneClock > 0 && clock-n.GoneClock >= silence.Milliseconds()
		changed = changed || soldOut != n.Struck
		n.Struck = soldOut
	}
	return changed
}

// editPost draws a post again. One that was deleted, or can't be edited again and again, is
// left alone from then on. lost: the channel can't be posted to.
func (s *Service) editPost(ctx context.Context, room storage.Room, lines []storage.News) (lost bool, err error) {
	messageID := lines[0].MessageID
	err = s.Edit(ctx, room.ChatID, messageID, Post{Lines: lines, More: lines[0].More})
	fault := faultOf(err)
	gone := errors.Is(err, outbox.ErrGone)
	if gone { // Telegram also says so without the right to edit
		fault, err = s.Fault(ctx, room.ChatID)
	}
	switch {
	case fault != "":
		return true, s.Lose(ctx, room, fault)
	case err == nil && !gone:
		delete(s.editFailures, messageID)
		return false, s.DB.SetNewsStruck(ctx, lines)
	case err == nil, errors.Is(err, outbox.ErrRejected), s.failsAgain(ctx, messageID, err):
		delete(s.editFailures, messageID)
		return false, errors.Join(err, s.DB.CloseNewsPost(ctx, room.ChatID, messageID))
	default:
		return false, err
	}
}

// failsAgain counts the failures to edit a post, and reports whether there are enough. One
// that can pass by itself is none: Telegram asks for a pause, or the process stops.
func (s *Service) failsAgain(ctx context.Context, messageID int64, err error) bool {
	if ctx.Err() != nil || !errors.Is(err, outbox.ErrUncertain) {
		return false
	}
	s.editFailures[messageID]++
	return s.editFailures[messageID] >= maxEditFailures
}

// faultOf returns the fault of the channel that an error shows, "" for none.
func faultOf(err error) string {
	switch {
	case errors.Is(err, outbox.ErrUnreachable):
		return FaultGone
	case errors.Is(err, outbox.ErrNoRights):
		return FaultNoRights
	default:
		return ""
	}
}

package app_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// The admin of the story. Other people's ids are small.
const storyAdmin = 900

const restoredWarning = "The shop’s database was restored"

// story is a shop whose operator does what docs/operations.md describes.
type story struct {
	*builtWorld
	t        *testing.T
	said     strings.Builder // what the commands have printed
	admin    *buyer
	unsure   *buyer   // a purchase of unknown outcome
	gone     *buyer   // used /forget after the backup
	drafters []*buyer // had a card with ✅ Confirm when the backup was made
	cards    []telegram.Message

	backup    string         // the file
	copied    contents       // of it
	told      time.Time      // what was stored after that is missing, restore says
	lost      map[int64]bool // orders of the marketplace that are not in the backup
	uncertain []bought       // those of them whose purchases are in progress in it
}

// TestOperatorsStory: a shop is backed up while people buy, and destroyed. It is restored in
// another folder, gets a new key while it runs, and moves to PostgreSQL and back. At each
// step all rows and sealed values are compared, and in the end all orders with the
// marketplace's.
func TestOperatorsStory(t *testing.T) {
	pgtest.SQLiteOnly(t)
	s := &story{t: t, builtWorld: newBuiltWorld(t), lost: map[int64]bool{}}
	s.settings = append(s.settings, fmt.Sprint("ADMIN_IDS=", storyAdmin), "TELEGRAM_RATE=0")
	s.use("sqlite:" + filepath.Join(t.TempDir(), "shop", "bot.db"))
	s.backsUpUnderLoad()
	s.restores()
	s.sells()
	s.rotates()
	t.Run("PostgreSQL and back", s.moves)
	s.restart(newestKey)
	s.everyoneBuys()
	s.awaitGoods()
	s.stop()
	s.agreesWithMarket()
	s.showsNoSecret()
}

// use makes a database that of the next start and of the commands.
func (s *story) use(url string) {
	s.database = url
	s.settings = append(s.settings, "DATABASE_URL="+url) // the last one counts
}

// run runs a command with the settings of the bot, which has to succeed.
func (s *story) run(keys string, args ...string) (stdout string) {
	s.t.Helper()
	began := time.Now()
	status, stdout, stderr := s.program.command(s.t, append(s.settings, "SECRET_KEY="+keys), args...)
	if status != exitOK {
		s.t.Fatalf("%s: %d %q %q", args[0], status, stdout, stderr)
	}
	s.t.Logf("%s took %s: %s", args[0], time.Since(began).Round(time.Millisecond), stdout)
	s.said.WriteString(stdout + stderr)
	return stdout
}

// contents reads the database of the bot.
func (s *story) contents(keys string) contents {
	s.t.Helper()
	all, opened := contentsOf(s.t, s.database, keys)
	s.t.Logf("read %d rows: %d orders, %d purchases, %d digests of goods, %d messages; %d sealed values opened",
		all.count(), len(all["orders"]), len(all["purchases"]), len(all["deliveries"]), len(all["outbox"]), opened)
	return all
}

func (s *story) everyone() []*buyer {
	return append(append(slices.Clone(s.people), s.drafters...), s.unsure, s.gone)
}

func (s *story) ids() (ids []int64) {
	for _, b := range s.everyone() {
		ids = append(ids, b.Person().ID)
	}
	return ids
}

// says lets somebody type and returns the answer that contains a text.
func (s *story) says(b *buyer, typed, answer string) telegram.Message {
	s.t.Helper()
	return s.answer(b, b.Type(typed), answer)
}

func (s *story) answer(b *buyer, after int, text string) telegram.Message {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), crashDeadline)
	defer cancel()
	m, err := b.await(ctx, after, func(m telegram.Message) bool { return strings.Contains(m.Text, text) })
	if err != nil {
		s.t.Fatalf("no %q: %v; the log is:\n%s", text, err, &s.log)
	}
	return m
}

// taps lets somebody tap a button, and returns the message when it contains a text.
func (s *story) taps(b *buyer, m telegram.Message, label, answer string) telegram.Message {
	s.t.Helper()
	testworld.Must(s.t, b.TapOn(m.ID, button(m, label)))
	return s.answer(b, m.ID-1, answer)
}

// backsUpUnderLoad runs the command backup while people buy, who go on afterwards. Then the
// bot is killed.
func (s *story) backsUpUnderLoad() {
	s.t.Helper()
	s.admin = &buyer{Client: s.telegram.Join(telegram.Person{ID: storyAdmin, FirstName: "Max", LanguageCode: "en"})}
	s.unsure, s.gone = s.person(101, "Una"), s.person(104, "Gus") // whose first purchases are accounts
	for i := range 3 {
		s.drafters = append(s.drafters, s.person(107+3*i, "Dora"))
	}
	faults := s.market.Faults()
	s.market.ClearFaults()
	for _, fault := range append([]market.Fault{{Action: "add", Key: s.unsure.key, Kind: market.CommitThenLose}}, faults...) {
		s.market.Fault(fault)
	}
	ctx, cancel := context.WithCancelCause(s.t.Context())
	defer cancel(nil)
	s.restart(testworld.SecretKey)
	end := s.buy(ctx)
	s.says(s.admin, "/start", "Max")
	for _, b := range append(slices.Clone(s.drafters), s.unsure, s.gone) {
		testworld.Must(s.t, b.giveKey(ctx, b.key))
		if slices.Contains(s.drafters, b) {
			card, err := b.draw(ctx)
			testworld.Must(s.t, err)
			s.cards = append(s.cards, card)
			continue
		}
		testworld.Must(s.t, b.buy(ctx))
	}
	s.awaitUntil("everybody has bought accounts and numbers", func() bool {
		accounts, numbers := map[string]bool{}, map[string]bool{}
		for _, order := range s.market.Orders() {
			accounts[order.Key] = true
		}
		for _, number := range s.market.Numbers() {
			numbers[number.Key] = true
		}
		return !slices.ContainsFunc(s.people, func(b *buyer) bool { return !accounts[b.key] || !numbers[b.key] })
	})
	s.awaitUntil("accounts are delivered", func() bool { return len(s.gone.missing(s.market, time.Now())) == 0 })

	s.backup = filepath.Join(s.t.TempDir(), "backup")
	s.run(testworld.SecretKey, "backup", s.backup)
	testworld.Must(s.t, s.drafters[0].confirm(ctx, s.cards[0]))
	forget := s.says(s.gone, "/forget", "What I keep about you")
	forget = s.taps(s.gone, forget, "🗑 Delete everything", "Delete everything?")
	s.taps(s.gone, forget, "🗑 Delete everything", "Everything is deleted")
	s.awaitPurchases(2 * crashPeople)
	s.kill()
	cancel(errDestroyed)
	end()
}

// restores restores the backup in another folder. All that is missing was stored after the
// time that the operator is told.
func (s *story) restores() {
	s.t.Helper()
	destroyed := s.contents(testworld.SecretKey)
	folder := filepath.Dir(strings.TrimPrefix(s.database, "sqlite:"))
	forgotten := read(s.t, filepath.Join(folder, "bot.db.forgotten"))
	testworld.Must(s.t, os.RemoveAll(folder))

	file := filepath.Join(s.t.TempDir(), "new", "bot.db")
	testworld.Must(s.t, os.Mkdir(filepath.Dir(file), 0o700))
	testworld.Must(s.t, os.WriteFile(file+".forgotten", []byte(forgotten), 0o600))
	s.use("sqlite:" + file)
	stdout := s.run(testworld.SecretKey, "restore", s.backup)
	found := regexp.MustCompile(`What was stored after (.*) is missing.*forgotten since and are forgotten again: 1\.`).FindStringSubmatch(stdout)
	if found == nil {
		s.t.Fatal("restore does not say what is missing, or whom it has forgotten again")
	}
	var err error
	s.told, err = time.Parse(time.DateTime+" MST", found[1])
	testworld.Must(s.t, err)

	gone := s.gone.Person().ID
	s.copied, _ = contentsOf(s.t, "sqlite:"+s.backup, testworld.SecretKey)
	restored := s.contents(testworld.SecretKey)
	about := s.copied.count() - s.copied.withoutPerson(gone).count()
	if about == 0 || restored.count() != restored.withoutPerson(gone).count() {
		s.t.Errorf("%d rows are about the person who is forgotten, and some of them are left", about)
	}
	s.copied = s.copied.withoutPerson(gone)
	marks := []string{"epoch", "restored", "vacuum_due"}
	same(s.t, "restore", s.copied.withoutSettings(marks...), restored.withoutPerson(0).withoutSettings(marks...))
	opened := filepath.Join(s.t.TempDir(), "opened")
	testworld.Must(s.t, os.WriteFile(opened, []byte(read(s.t, s.backup)), 0o600))
	people := peopleOf(s.t, "sqlite:"+opened, testworld.SecretKey, s.ids())
	delete(people, gone)
	if after := peopleOf(s.t, s.database, testworld.SecretKey, s.ids()); len(people) != len(s.everyone())-1 || fmt.Sprint(people) != fmt.Sprint(after) {
		s.t.Errorf("restore: storage reads %d people in the backup, and others afterwards: %d", len(people), len(after))
	}
	s.findLost(destroyed)
}

// findLost finds the orders of the marketplace that are not in the backup.
func (s *story) findLost(destroyed contents) {
	s.t.Helper()
	for _, bought := range s.bought() {
		if s.copied.has("orders", bought.order) {
			if !destroyed.has("orders", bought.order) {
				s.t.Errorf("order %d is in the backup and not in the database", bought.number)
			}
			continue
		}
		s.lost[bought.number] = true
		switch {
		case s.copied.has("purchases", bought.inProgress):
			s.uncertain = append(s.uncertain, bought)
		case bought.at.Before(s.told):
			s.t.Errorf("order %d of %s is not in the backup, which was said to have everything until %s", bought.number, bought.at, s.told)
		}
	}
	if len(s.lost) < crashPeople || len(s.copied["orders"]) < crashPeople {
		s.t.Errorf("%d orders are in the backup, %d not", len(s.copied["orders"]), len(s.lost))
	}
	s.t.Logf("%d orders are in the backup; of %d that are not, the purchases of %d are in progress in it, and the others were placed after %s",
		len(s.copied["orders"]), len(s.lost), len(s.uncertain), s.told.Format(time.TimeOnly))
}

// bought is an order of the marketplace.
type bought struct {
	number      int64
	user        int64
	at          time.Time
	sms         bool
	link, phone string // digests
}

// order reports whether a row is that of the order.
func (b bought) order(r row) bool {
	return r["user_id"] == b.user && r["external_id"] == strconv.FormatInt(b.number, 10) && (r["kind"] == "sms") == b.sms
}

// inProgress reports whether a row may be that of the purchase, whose outcome is not known.
func (b bought) inProgress(r row) bool {
	return r["user_id"] == b.user && (r["kind"] == "sms") == b.sms && (b.sms || r["link"] == b.link) &&
		slices.Contains([]any{"claimed", "sending", "outcome_unknown"}, r["state"])
}

func (c contents) has(table string, is func(r row) bool) bool {
	return slices.ContainsFunc(c[table], is)
}

// bought returns the marketplace's orders of all people who were not forgotten.
func (s *story) bought() (all []bought) {
	users := map[string]int64{}
	for _, b := range s.everyone() {
		users[b.key] = b.Person().ID
	}
	delete(users, s.gone.key)
	for _, order := range s.market.Orders() {
		if user, ok := users[order.Key]; ok {
			all = append(all, bought{number: order.Number, user: user, at: order.CreatedAt, link: digest(order.Link)})
		}
	}
	for _, number := range s.market.Numbers() {
		if user, ok := users[number.Key]; ok {
			all = append(all, bought{number: number.Number, user: user, at: number.CreatedAt, sms: true, phone: digest(number.Phone)})
		}
	}
	return all
}

// sells starts the restored bot. Nobody can buy until the admin has looked; what was drawn
// before is not bought again.
func (s *story) sells() {
	s.t.Helper()
	s.market.SetCodeAfter(100 * time.Millisecond)
	adds := s.requests()
	s.restart(testworld.SecretKey)
	product := s.says(s.people[0], "/start p_2", "How many?")
	s.taps(s.people[0], product, "1", "Buying is paused to protect your money")
	var home telegram.Message
	s.awaitUntil("the monitor has looked", func() bool {
		home = s.says(s.admin, "/admin", "Admin")
		return strings.Contains(home.Text, "What was stored after ")
	})
	const checked = "✅ I’ve checked the orders"
	if button(home, checked) == "" || !strings.Contains(home.Text, "The database was restored from a backup") {
		s.t.Fatalf("the admin sees:\n%s", home.Text)
	}
	if s.requests() != adds {
		s.t.Error("something was bought before the admin had looked")
	}
	testworld.Must(s.t, s.admin.TapOn(home.ID, checked))
	s.awaitUntil("the button is gone", func() bool {
		m, _ := s.admin.Message(home.ID)
		return button(m, checked) == ""
	})

	// The first draft was confirmed after the backup: its order is lost, and a second device
	// still shows the button.
	first, card := s.drafters[0], s.cards[0]
	testworld.Must(s.t, first.TapButton(card.ID, card.Keyboard[0][0].CallbackData))
	s.answer(first, card.ID-1, restoredWarning)
	if s.requests() != adds {
		s.t.Error("a tap on a card of before the restore has bought")
	}
	for i, b := range s.drafters[1:] {
		card := s.taps(b, s.cards[i+1], "✅ Confirm", restoredWarning)
		testworld.Must(s.t, b.confirm(s.t.Context(), card))
	}
	s.everyoneBuys()
	s.awaitGoods()
	s.imports()
}

// everyoneBuys lets all people buy once.
func (s *story) everyoneBuys() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), crashDeadline)
	defer cancel()
	adds := s.requests()
	var buying sync.WaitGroup
	for _, b := range s.people {
		buying.Go(func() {
			if err := b.buy(ctx); err != nil {
				s.t.Error(err)
			}
		})
	}
	buying.Wait()
	if n := s.requests() - adds; n != len(s.people) {
		s.t.Errorf("%d people have bought %d times", len(s.people), n)
	}
}

// awaitGoods waits until everybody has what they have bought, and no message is left.
func (s *story) awaitGoods() {
	s.t.Helper()
	for _, b := range s.everyone() {
		s.awaitUntil("everything is delivered", func() bool {
			return !slices.ContainsFunc(b.missing(s.market, time.Now()), func(number int64) bool { return !s.lost[number] })
		})
	}
	s.awaitUntil("all messages are sent", func() bool {
		all, _ := contentsOf(s.t, s.database, s.keys())
		return !all.has("outbox", func(r row) bool { return r["state"] != "sent" })
	})
}

// keys are all keys that the bot has had.
func (*story) keys() string { return newestKey + "," + testworld.SecretKey }

// imports imports an order that is not in the backup by its number.
func (s *story) imports() {
	s.t.Helper()
	orders := s.market.Orders()
	i := slices.IndexFunc(orders, func(o market.Order) bool { return s.lost[o.Number] && o.Key == s.drafters[0].key })
	if i < 0 {
		s.t.Fatal("the order of the first draft is not lost")
	}
	order, b := orders[i], s.drafters[0]
	found := s.says(b, fmt.Sprint("/orders ", order.Number), "it wasn’t placed through this bot")
	testworld.Must(s.t, b.TapOn(found.ID, button(found, "✅ Yes, add it")))
	s.answer(b, found.ID, order.Accounts[0])
	delete(s.lost, order.Number)
}

// rotates encrypts everything with a new key while people look at products, and removes the
// older key.
func (s *story) rotates() {
	s.t.Helper()
	s.restart(s.keys())
	s.says(s.admin, "/admin", "Admin")
	ctx, cancel := context.WithTimeout(s.t.Context(), crashDeadline)
	defer cancel()
	end := s.read(ctx)
	began := time.Now()
	before := s.contents(s.keys())
	if out := s.run(s.keys(), "rotate"); !strings.HasPrefix(out, "Rotated: ") || !strings.Contains(out, "The older keys may go") {
		s.t.Errorf("rotate says %q", out)
	}
	after := s.contents(newestKey) // opens each value
	end()
	steady := func(c contents) contents {
		return c.withoutTables("delivery_times", "inbox", "dialogs", "chats", "users", "replicas", "leases", "monitor_alerts").
			without(func(table string, r row) bool {
				return table == "settings" && r["name"] != "digest_key" || table == "outbox" && r["created_at"].(int64) > began.UnixMilli()
			}).
			withoutColumns("updated_at", "next_poll_at", "last_poll_at", "polls", "lease_owner", "lease_until", "checks", "next_check_at", "balance_seen", "verdict")
	}
	same(s.t, "rotate", steady(before), steady(after))
	s.restart(newestKey)
	s.everyoneBuys()
	s.stop()
	if err := openWith(s.t, s.database, testworld.SecretKey, func(*storage.DB) {}); err == nil || !strings.Contains(err.Error(), "sealed with key") {
		s.t.Errorf("the older key opens the database: %v", err)
	}
}

// moves moves the shop to PostgreSQL, where people buy, and back to a new file.
func (s *story) moves(t *testing.T) {
	server, file := pgtest.Empty(t), "sqlite:"+filepath.Join(s.t.TempDir(), "back", "bot.db")
	outer := s.t
	s.t, s.builtWorld.t = t, t
	defer func() { s.t, s.builtWorld.t = outer, outer }()
	s.move(server)
	s.restart(newestKey)
	s.everyoneBuys()
	s.stop()
	s.move(file)
}

// move moves the shop to another database.
func (s *story) move(to string) {
	s.t.Helper()
	people, before := peopleOf(s.t, s.database, newestKey, s.ids()), s.contents(newestKey)
	if out := s.run(newestKey, "migrate-db", s.database, to); !strings.HasPrefix(out, "Moved. ") {
		s.t.Errorf("migrate-db says %q", out)
	}
	s.use(to)
	after := s.contents(newestKey)
	lasting := func(c contents) contents { // without what is about processes and the server
		return c.withoutTables("replicas", "leases", "pace").withoutSettings("timeline", "tables")
	}
	same(s.t, "migrate-db", lasting(before), lasting(after))
	if now := peopleOf(s.t, to, newestKey, s.ids()); len(people) != len(s.everyone())-1 || fmt.Sprint(people) != fmt.Sprint(now) {
		s.t.Errorf("migrate-db: storage reads %d people, and others afterwards: %d", len(people), len(now))
	}
}

// agreesWithMarket compares the orders of the bot with the marketplace's.
func (s *story) agreesWithMarket() {
	s.t.Helper()
	final := s.contents(newestKey)
	all := s.bought()
	for _, b := range all {
		is := func(r row) bool {
			return b.order(r) && (r["external"] == int64(1) || r["link"] == b.link) && r["phone"] == b.phone
		}
		if in := final.has("orders", is); in == s.lost[b.number] {
			s.t.Errorf("order %d of person %d: in the database %t, lost %t", b.number, b.user, in, s.lost[b.number])
		}
	}
	for _, b := range s.uncertain { // the person decides
		unknown := func(r row) bool { return b.inProgress(r) && r["state"] == string(storage.PurchaseOutcomeUnknown) }
		i := slices.IndexFunc(s.everyone(), func(person *buyer) bool { return person.Person().ID == b.user })
		if !final.has("purchases", unknown) || !strings.Contains(s.everyone()[i].Transcript(), "may or may not have been placed") {
			s.t.Errorf("person %d was not told that the outcome of order %d is unknown", b.user, b.number)
		}
	}
	for _, r := range final["orders"] {
		if r["user_id"] != int64(0) && !slices.ContainsFunc(all, func(b bought) bool { return b.order(r) }) {
			s.t.Errorf("the marketplace has no order %v of person %v", r["external_id"], r["user_id"])
		}
	}
	s.t.Logf("%d orders of the marketplace compared, %d of them not in the backup and not imported", len(all), len(s.lost))
	s.people = s.everyone()
	s.checkOrders()
}

// showsNoSecret: neither the log nor the commands have shown a key, goods, or what people
// have entered.
func (s *story) showsNoSecret() {
	s.t.Helper()
	shown := s.log.String() + s.said.String()
	secrets := []string{testworld.Token, testworld.SecretKey, newestKey, testworld.OperatorKey.Reveal(), "@person"}
	for _, b := range s.everyone() {
		secrets = append(secrets, b.key)
	}
	for _, order := range s.market.Orders() {
		secrets = append(secrets, order.Accounts...)
	}
	words := map[string]bool{}
	for _, word := range regexp.MustCompile(`\w+`).FindAllString(shown, -1) {
		words[word] = true
	}
	for _, number := range s.market.Numbers() {
		secrets = append(secrets, number.Phone)
		for _, sms := range number.Received {
			if words[sms.Code] {
				s.t.Error("a code is shown")
			}
		}
	}
	for _, secret := range secrets {
		if strings.Contains(shown, secret) {
			s.t.Error("a secret is shown")
		}
	}
	for line := range strings.Lines(s.log.String()) {
		if strings.Contains(line, "level=ERROR") && !strings.Contains(line, "stop incomplete") { // which may be cut off
			s.t.Errorf("the bot logs %s", line)
		}
	}
	s.t.Logf("%d secrets searched in %d bytes of log and output", len(secrets), len(shown))
}

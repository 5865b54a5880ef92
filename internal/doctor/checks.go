package doctor

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/bot"
	"hstockbot/internal/callrate"
	"hstockbot/internal/config"
	"hstockbot/internal/hstock"
)

// checks are all checks, in the order of their lines. A check that does not apply has none.
var checks = []struct {
	name  string
	judge func(*facts) findings
}{
	{"version", judgeVersion},
	{"settings", judgeSettings},
	{"token", judgeToken},
	{"inline", judgeInline},
	{"webhook", judgeWebhook},
	{"marketplace", judgeMarketplace},
	{"call-rate", judgeCallRate},
	{"operator-key", judgeOperatorKey},
	{"clock", judgeClock},
	{"database", judgeDatabase},
	{"schema", judgeSchema},
	{"integrity", judgeIntegrity},
	{"keys", judgeKeys},
	{"files", judgeFiles},
	{"disk", judgeDisk},
	{"backups", judgeBackups},
	{"server", judgeServer},
	{"replication", judgeReplication},
	{"restored", judgeRestored},
	{"running", judgeRunning},
	{"admins", judgeAdmins},
	{"dead-letters", judgeDeadLetters},
	{"unknown-purchases", judgeUnknownPurchases},
}

// longestName is the width of the column of names.
const longestName = len("unknown-purchases")

const (
	slow = 3 * time.Second // an answer of the marketplace
	// httpClock is by how much the clock may differ from that of Telegram and of the
	// marketplace, beside what the measurement can't tell.
	httpClock = 5 * time.Second
	// databaseClock is by how much it may differ from the database server's (package
	// replica).
	databaseClock = 2 * time.Second
	// recent is how long ago an error of the webhook counts.
	recent = 10 * time.Minute
)

func judgeVersion(f *facts) (found findings) {
	found.ok("hstockbot %s, %s", f.Version, f.Build)
	return found
}

func judgeSettings(f *facts) (found findings) {
	for _, problem := range f.Problems {
		found.add(Bad, "correct it where the environment of the bot is set, such as .env", "%v", problem)
	}
	for _, warning := range f.Config.Warnings() {
		if f.use("TELEGRAM_API_URL") {
			found.add(Info, "use https, or run the Bot API server on this computer", "%s", warning)
		}
	}
	if len(found) == 0 {
		found.ok("all %d are valid", len(config.Settings()))
	}
	return found
}

// notAsked adds the line of a check whose settings are invalid.
func (f *findings) notAsked() {
	f.add(Info, "correct the settings first", "not checked, because of the settings")
}

func judgeToken(f *facts) (found findings) {
	t := f.telegram
	refusal, refused := errors.AsType[*bot.Error](t.err)
	refused = refused && (refusal.Code == 401 || refusal.Code == 404)
	switch {
	case !t.asked:
		found.notAsked()
	case t.err == nil:
		found.ok("the bot is @%s", t.me.Username)
	case refused:
		found.add(Bad, "set TELEGRAM_TOKEN to the token that @BotFather shows for the bot, and restart the bot", "Telegram refuses the token")
	default:
		found.add(Bad, "check the network and the proxy of this machine, and TELEGRAM_API_URL", "Telegram does not answer: %v", t.err)
	}
	return found
}

func judgeInline(f *facts) (found findings) {
	switch {
	case !f.telegram.asked:
		found.notAsked()
	case f.telegram.err != nil:
		found.add(Info, "see token", "not known")
	case f.telegram.me.Inline:
		found.ok("inline mode is on")
	default:
		found.add(Info, "to turn it on, send /setinline to @BotFather", "inline mode is off")
	}
	return found
}

func judgeWebhook(f *facts) (found findings) {
	hook, want := f.telegram.webhook, f.Config.WebhookURL
	failedAt := time.Unix(int64(hook.LastErrorDate), 0)
	level := Info // the bot corrects it at its start
	if f.runs() {
		level = Bad
	}
	switch {
	case !f.telegram.asked || !f.use("WEBHOOK_URL"):
		found.notAsked()
	case f.telegram.err != nil:
		found.add(Info, "see token", "not known")
	case f.telegram.webhookErr != nil:
		found.add(Bad, "try again", "Telegram does not tell: %v", f.telegram.webhookErr)
	case hook.URL == "" && want != "":
		found.add(level, "start the bot, or restart it: it sets the webhook; if it is deleted again, another program uses the token", "Telegram has no webhook, and WEBHOOK_URL is set")
	case hook.URL != "" && want == "":
		found.add(level, "start the bot, or restart it: it removes the webhook; if it comes back, another program uses the token",
			"Telegram sends updates to a webhook at %s, and WEBHOOK_URL is not set", host(hook.URL))
	case hook.URL != want:
		found.add(level, "start the bot, or restart it after a change of WEBHOOK_URL; if it changes back, another program uses the token",
			"Telegram sends updates to another address than WEBHOOK_URL, at %s", host(hook.URL))
	case hook.LastErrorDate > 0 && f.now.Sub(failedAt) < recent:
		found.add(level, "check that the bot runs, that the proxy in front of WEBHOOK_ADDR passes requests on, and its certificate",
			"Telegram could not deliver to the webhook %s ago, %d updates wait: %s", f.now.Sub(failedAt).Round(time.Second), hook.PendingUpdateCount, hook.LastErrorMessage)
	case want != "":
		found.ok("Telegram sends updates to WEBHOOK_URL, %d wait", hook.PendingUpdateCount)
	default:
		found.ok("none, as long polling needs, %d updates wait", hook.PendingUpdateCount)
	}
	return found
}

// host returns the host of a URL: its path may be a secret.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an unreadable address"
	}
	return u.Host
}

// answered reports whether the marketplace has answered, be it with a refusal.
func (m marketFacts) answered() bool {
	kind, failed := hstock.KindOf(m.err)
	return m.err == nil || failed && (kind == hstock.Refused || kind == hstock.RefusedOther || kind == hstock.InvalidKey)
}

func judgeMarketplace(f *facts) (found findings) {
	took := f.market.clock.took.Round(time.Millisecond)
	switch {
	case !f.market.asked:
		found.notAsked()
	case !f.market.answered():
		found.add(Bad, "check the network and the proxy of this machine, and HSTOCK_API_URL; else wait for the marketplace", "no usable answer: %v", f.market.err)
	case took > slow:
		found.add(Info, "nothing, if it passes: screens wait for the marketplace", "it is slow, it answered in %s", took)
	default:
		found.ok("it answered in %s", took)
	}
	return found
}

func judgeCallRate(f *facts) (found findings) {
	most := float64(f.Config.HStockRate)
	state, err := callrate.DecodeState(f.database.callRate)
	switch {
	case !f.database.readable():
		found.unread(f.database, nil)
	case err == nil && state.Banned(time.Now()):
		found.add(Info, "nothing, if it passes; else set HSTOCK_RATE lower, or ask HStockPlus to allow this address",
			"a firewall answers for the marketplace, so codes and deliveries are not looked for until %s", state.BannedUntil.UTC().Format(time.RFC3339))
	case most == 0:
		found.ok("without limit, as HSTOCK_RATE says")
	case err != nil || state.Rate == 0:
		found.ok("at most %g calls a second; nothing is known about the marketplace's limit yet", most)
	case state.Limit == 0:
		found.ok("%.0f calls a second, at most %g", min(state.Rate, most), most)
	default:
		found.ok("%.0f calls a second, at most %g; the marketplace refused more than about %.0f", min(state.Rate, most), most, state.Limit)
	}
	return found
}

func judgeOperatorKey(f *facts) (found findings) {
	const replace = "set HSTOCK_API_KEY to a valid key of yours, or remove it, and restart the bot"
	balance := f.market.balance
	switch kind, _ := hstock.KindOf(f.market.err); {
	case !f.market.asked:
		found.notAsked()
	case f.Config.HStockAPIKey == "":
		found.add(Info, "set HSTOCK_API_KEY if people without a key shall browse, and watches not use people's keys", "there is no operator's key")
	case kind == hstock.InvalidKey:
		found.add(Bad, replace, "the marketplace refuses the operator's key")
	case !f.market.answered():
		found.add(Info, "see marketplace", "not known")
	case f.market.err != nil:
		found.add(Bad, replace, "the marketplace does not tell the balance: %v", f.market.err)
	case isLow(balance.Amount, f.database.threshold):
		found.add(Info, "top the account up at the marketplace; /balance changes the limit of the alert", "the balance is low: %s %s", balance.Amount, balance.Currency)
	default:
		found.ok("it is valid, the balance is %s %s", balance.Amount, balance.Currency)
	}
	return found
}

// isLow compares a balance with the threshold that admins have set, "" for none.
func isLow(balance decimal.Decimal, threshold string) bool {
	limit, err := decimal.NewFromString(threshold)
	return !balance.IsPositive() || err == nil && balance.LessThan(limit)
}

// offset returns by how much the clock here is ahead, and reports whether that is more
// than may be. A Date has no fraction of a second.
func (c clock) offset() (ahead time.Duration, tooMuch bool) {
	ahead = c.at.Sub(c.date.Add(time.Second / 2))
	return ahead.Round(time.Second), ahead.Abs() > httpClock+c.took/2+time.Second/2
}

func judgeClock(f *facts) (found findings) {
	const set = "set the clock of this machine, best by NTP"
	var same []string
	if telegram := f.telegram.clock; !telegram.date.IsZero() {
		if ahead, tooMuch := telegram.offset(); tooMuch {
			found.add(Bad, set, "it differs from Telegram's by %s", ahead)
		} else {
			same = append(same, "Telegram's")
		}
	}
	if market := f.market.clock; !market.date.IsZero() {
		ahead, tooMuch := market.offset()
		switch {
		case tooMuch && len(same) > 0:
			found.add(Info, "nothing: the marketplace's clock is wrong, not this one", "it differs from the marketplace's by %s", ahead)
		case tooMuch:
			found.add(Bad, set, "it differs from the marketplace's by %s", ahead)
		default:
			same = append(same, "the marketplace's")
		}
	}
	if d := f.database; d.asked && f.path == "" && d.err == nil && d.offsetErr == nil {
		if d.offset.Abs() > databaseClock {
			found.add(Bad, set+", and that of the database's server: a copy whose clock differs more does no background work", "it differs from the database server's by %s", d.offset.Round(time.Millisecond))
		} else {
			same = append(same, "the database server's")
		}
	}
	if len(found) == 0 && len(same) == 0 {
		found.add(Info, "see token and marketplace", "there is no other clock to compare with")
	} else if len(same) > 0 && !HasBad(found) {
		found = append(findings{{Level: OK, Text: "it agrees with " + strings.Join(same, ", ")}}, found...)
	}
	return found
}

// runs reports whether a bot is known to run on the database.
func (f *facts) runs() bool { return f.files.locked || f.path == "" && len(f.database.replicas) > 0 }

func judgeAdmins(f *facts) (found findings) {
	const start = "let them open the bot in Telegram and send /start, or correct ADMIN_IDS"
	d, all := f.database, len(f.Config.AdminIDs)
	switch {
	case !f.use("ADMIN_IDS"):
		found.notAsked()
	case all == 0:
		found.add(Info, "set ADMIN_IDS to your own Telegram id, which @userinfobot tells you", "there are no admins, so alerts reach no one")
	case !d.readable() || d.adminsErr != nil:
		found.unread(d, d.adminsErr)
	case len(d.silent)+len(d.gone) == 0:
		found.ok("alerts reach all %d", all)
	default:
		level := Info
		if len(d.silent)+len(d.gone) == all {
			level = Bad
		}
		if len(d.silent) > 0 {
			found.add(level, start, "never wrote to the bot, so alerts don't reach them: %s", list(d.silent))
		}
		if len(d.gone) > 0 {
			found.add(level, start, "have blocked the bot, so alerts don't reach them: %s", list(d.gone))
		}
	}
	if f.use("SUPPORT_IDS") && d.readable() && d.supportErr == nil && len(d.supportAway) > 0 {
		found.add(Info, "let them send /start to the bot, unblock it, or correct SUPPORT_IDS", "alerts about purchases don't reach these of SUPPORT_IDS: %s", list(d.supportAway))
	}
	return found
}

func list(ids []int64) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = strconv.FormatInt(id, 10)
	}
	return strings.Join(texts, ", ")
}

func judgeDeadLetters(f *facts) (found findings) {
	switch d := f.database; {
	case !d.readable() || d.waitingErr != nil:
		found.unread(d, d.waitingErr)
	case d.waiting.DeadLettered > 0:
		found.add(Info, "look at them under /admin, and report what the log says", "%s could not be handled", count(d.waiting.DeadLettered, "update"))
	default:
		found.ok("no update waits for an admin")
	}
	return found
}

func judgeUnknownPurchases(f *facts) (found findings) {
	switch d := f.database; {
	case !d.readable() || d.waitingErr != nil:
		found.unread(d, d.waitingErr)
	case d.waiting.OutcomeUnknown > 0:
		found.add(Info, "people decide about theirs; /orders lists them", "%s of unknown outcome", count(d.waiting.OutcomeUnknown, "purchase"))
	default:
		found.ok("no purchase of unknown outcome")
	}
	return found
}

func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

package handlers_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/keyboards"
	"hstockbot/locales"
)

const (
	// rfcSecret is the key of RFC 6238; its codes are in its appendix B.
	rfcSecret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	parted    = "anna@mail.com:pass|" + rfcSecret + "|rec@mail.com"
)

// channel buys accounts that come with a second factor.
func (w *world) channel(quantity string) {
	w.T.Helper()
	rows := w.Market.Rows()
	i := slices.IndexFunc(rows, func(r market.Row) bool { return r.Name == "Gmail + YouTube Channel - 2012" })
	w.open(strconv.FormatInt(rows[i].Service, 10))
	w.tap("product_button_amount")
	w.types(quantity)
	w.tap("order_button_skip")
	w.tap("confirm_button_confirm")
	pass(10 * time.Second)
}

// holds makes the marketplace answer that the order has these accounts.
func (w *world) holds(accounts ...string) {
	w.T.Helper()
	encoded, err := json.Marshal(accounts)
	must(w.T, err)
	w.answers("status", fmt.Sprintf(`{"status":"Completed","charge":"2.50","remains":0,"currency":"USD","accounts":%s}`, encoded))
}

// delivers buys as many accounts as there are, and delivers these.
func (w *world) delivers(accounts ...string) telegram.Message {
	w.T.Helper()
	w.withKey(annaKey)
	must(w.T, w.Market.Hold(market.GmailUSA, true))
	w.open("2")
	w.tap("product_button_amount")
	w.types(strconv.Itoa(len(accounts)))
	w.tap("order_button_skip")
	w.tap("confirm_button_confirm")
	w.holds(accounts...)
	pass(time.Minute)
	return w.chat.Last()
}

// copied are what the message's buttons copy, by label.
func copied(m telegram.Message) map[string]string {
	found := map[string]string{}
	for _, b := range slices.Concat(m.Keyboard...) {
		if b.CopyText != "" {
			found[b.Text] = b.CopyText
		}
	}
	return found
}

func TestAccountInParts(t *testing.T) {
	for _, lang := range []string{"en", "ar"} {
		t.Run(lang, func(t *testing.T) {
			inLanguage(t, lang, "account_parts", func(w *world) {
				w.withKey(annaKey)
				w.channel("1")
				w.tap("account_button_code")
				pass(40 * time.Second)
				w.tap("nav_button_refresh")
				w.channel("3")
				w.tapLabel(w.l.Label("account_button_code_n", locales.Args{"N": w.l.Number(2)}))
				w.channel("6")
			})
		})
	}
}

// TestPartsThatAreCopied: what is certain has a button, and in doubt only the whole.
func TestPartsThatAreCopied(t *testing.T) {
	long := strings.Repeat("x", 257)
	for name, test := range map[string]struct {
		accounts []string
		copies   map[string]string
		codes    int
	}{
		"all parts":     {[]string{parted}, map[string]string{"📋 Copy": parted, "📋 Login": "anna@mail.com", "📋 Password": "pass", "📋 Recovery": "rec@mail.com"}, 1},
		"two":           {[]string{"anna:pass", "bob:word"}, map[string]string{"📋 Copy 1": "anna:pass", "📋 Copy 2": "bob:word", "📋 Login 1": "anna", "📋 Login 2": "bob", "📋 Password 1": "pass", "📋 Password 2": "word"}, 0},
		"uneven":        {[]string{"anna:pass", "bob:word:rec@mail.com"}, map[string]string{"📋 Copy 1": "anna:pass", "📋 Copy 2": "bob:word:rec@mail.com"}, 0},
		"doubtful":      {[]string{"anna@mail.com:pa:ss"}, map[string]string{"📋 Copy": "anna@mail.com:pa:ss"}, 0},
		"256":           {[]string{"anna:" + long[:256]}, map[string]string{"📋 Login": "anna", "📋 Password": long[:256]}, 0},
		"257":           {[]string{"anna:" + long}, map[string]string{"📋 Login": "anna"}, 0},
		"cookies":       {[]string{`anna:pass:[{"name":"xs","value":"1:2"}]`}, map[string]string{"📋 Copy": `anna:pass:[{"name":"xs","value":"1:2"}]`, "📋 Login": "anna", "📋 Password": "pass"}, 0},
		"several lines": {[]string{"login: anna\npassword: pass"}, map[string]string{}, 0},
		"small letters": {[]string{"anna:pass:jbsw y3dp ehpk 3pxp"}, map[string]string{"📋 Copy": "anna:pass:jbsw y3dp ehpk 3pxp", "📋 Login": "anna", "📋 Password": "pass"}, 1},
		"eight digits":  {[]string{"anna|pass|otpauth://totp/Ex?secret=" + rfcSecret + "&digits=8"}, map[string]string{"📋 Copy": "anna|pass|otpauth://totp/Ex?secret=" + rfcSecret + "&digits=8", "📋 Login": "anna", "📋 Password": "pass"}, 0},
		"invisible":     {[]string{"anna:pa\u200bss"}, map[string]string{"📋 Login": "anna"}, 0},
		"a file of six": {slices.Repeat([]string{"anna:pass"}, 6), map[string]string{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, "en", func(w *world) {
				goods := w.delivers(test.accounts...)
				if goods.Document != nil && strings.HasSuffix(goods.Document.Name, ".xlsx") {
					goods = w.chat.Messages()[len(w.chat.Messages())-2]
				}
				got := copied(goods)
				for label, text := range test.copies {
					if got[label] != text {
						w.T.Errorf("%s copies %q, want %q", label, got[label], text)
					}
				}
				codes := 0
				for _, b := range slices.Concat(goods.Keyboard...) {
					if strings.HasPrefix(b.Text, "🔢") {
						codes++
					}
				}
				if names, _ := w.excel(); len(test.accounts) == 1 && len(names) > 0 {
					w.T.Errorf("one account arrived as %q", names)
				}
				if len(got) != len(test.copies) || codes != test.codes {
					w.T.Errorf("%d buttons copy and %d make codes:\n%s", len(got), codes, w.chat.Transcript())
				}
			})
		})
	}
}

// TestCodeComesFromTheAccountOfItsButton, also if the account is one of a later delivery
// and stands before those of the first.
func TestCodeComesFromTheAccountOfItsButton(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.buy("2", "2")
		w.holds("bob@mail.com:word|JBSWY3DPEHPK3PXP|rec@mail.com")
		pass(time.Minute)
		w.holds(parted, "bob@mail.com:word|JBSWY3DPEHPK3PXP|rec@mail.com")
		pass(20 * time.Minute)
		button := buttonData(w.chat.Last(), "🔢 2FA code")
		if strings.Contains(button, rfcSecret[:4]) || button == "" {
			w.T.Fatalf("the button carries %q", button)
		}
		w.tap("account_button_code")
		w.says("anna@mail.com")
		if last := w.chat.Last(); !strings.Contains(last.Text, "anna@mail.com") || len(copied(last)["📋 Copy code"]) != 6 || !strings.Contains(last.Text, copied(last)["📋 Copy code"]) {
			w.T.Errorf("the code is for another account:\n%s", last.Text)
		}
	})
}

// TestCodeOfAnAccountThatIsGone: nothing was stored, so there is no code.
func TestCodeOfAnAccountThatIsGone(t *testing.T) {
	for name, accounts := range map[string][]string{
		"no accounts": {}, "fewer accounts": {"anna@mail.com:pass|" + rfcSecret + "|rec@mail.com"}, "no secret": {parted, "bob@mail.com:word"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, "en", func(w *world) {
				w.delivers(parted, "bob@mail.com:word|JBSWY3DPEHPK3PXP|rec@mail.com")
				w.holds(accounts...)
				w.tapLabel("🔢 2FA code 2")
				if last := w.chat.Last(); last.Text != w.l.T("account_code_gone") {
					w.T.Errorf("the answer is %q", last.Text)
				}
			})
		})
	}
}

// TestCodeOfAnotherPerson: forged data shows nothing, as if there was no such order.
func TestCodeOfAnotherPerson(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.delivers(parted)
		order := w.orderID(market.FirstOrder)
		calls := w.Market.Count("status")
		mallory := w.mallory("/key " + poorKey)
		for _, position := range []uint16{0, 1, 65535} {
			args := keyboards.AccountArgs{Order: order, Position: position}
			for _, data := range []string{keyboards.AccountCode.Data(args), keyboards.AccountCodeRefresh.Data(args)} {
				if answer := w.forge(mallory, mallory.Last().ID, data); answer != w.l.Label("error_outdated") {
					w.T.Errorf("%s is answered %q", data, answer)
				}
			}
		}
		if strings.Contains(mallory.History(), "🔢") || w.Market.Count("status") != calls {
			w.T.Errorf("Mallory sees a code:\n%s", mallory.History())
		}
		for _, position := range []uint16{1, 65535} { // her own order, another position
			w.forge(w.chat, w.chat.Last().ID, keyboards.AccountCode.Data(keyboards.AccountArgs{Order: order, Position: position}))
			if last := w.chat.Last(); last.Text != w.l.T("account_code_gone") {
				w.T.Errorf("the answer is %q", last.Text)
			}
		}
	})
}

// excel returns the names of the Excel files that arrived, and the text of the last one.
func (w *world) excel() (names []string, text string) {
	w.T.Helper()
	for _, m := range w.chat.Messages() {
		if m.Document == nil || !strings.HasSuffix(m.Document.Name, ".xlsx") {
			continue
		}
		names = append(names, m.Document.Name)
		archive, err := zip.NewReader(bytes.NewReader(m.Document.Data), int64(len(m.Document.Data)))
		must(w.T, err)
		sheet, err := archive.Open("xl/worksheets/sheet1.xml")
		must(w.T, err)
		content, err := io.ReadAll(sheet)
		must(w.T, err)
		text = string(content)
	}
	return names, text
}

// TestColumns: many accounts arrive in a second file, also when asked for again, if their
// split is certain.
func TestColumns(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		accounts := make([]string, 6)
		for i := range accounts {
			accounts[i] = fmt.Sprintf("anna%d@mail.com:=1+%d", i, i)
		}
		w.delivers(accounts...)
		w.types("/orders")
		w.tapLike("#23501")
		w.tap("order_button_accounts")
		names, text := w.excel()
		if !slices.Equal(names, []string{"order-23501.xlsx", "order-23501.xlsx"}) {
			w.T.Errorf("the files are %q", names)
		}
		for _, part := range []string{">Login<", ">Password<", ">anna5@mail.com<", ">=1+5<"} {
			if !strings.Contains(text, part) {
				w.T.Errorf("the file lacks %q", part)
			}
		}
		if strings.Contains(text, "<f>") {
			w.T.Error("a cell is a formula")
		}
	})
	inWorld(t, "en", func(w *world) {
		w.delivers("a:1", "b:2", "c:3", "d:4", "e:5", "f:6:7")
		if names, _ := w.excel(); len(names) > 0 {
			w.T.Errorf("uneven accounts arrived as %q", names)
		}
	})
}

// TestColumnsThatAreNotSent: the goods are not sent again because of them.
func TestColumnsThatAreNotSent(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.Telegram.Fault(telegram.Fault{Method: "sendDocument", Delay: time.Millisecond}) // the goods arrive
		w.Telegram.Fault(telegram.Fault{Method: "sendDocument", Cut: true, Times: telegram.Always})
		w.delivers(slices.Repeat([]string{"anna:pass"}, 6)...)
		pass(30 * time.Minute)
		if w.file() != strings.Repeat("anna:pass\n", 6) || count(w.chat, "6 items in the file") != 1 {
			w.T.Errorf("the goods did not arrive once:\n%s", w.chat.Transcript())
		}
		if !strings.Contains(w.Log.String(), "columns of goods not sent") {
			w.T.Error("nothing was logged")
		}
	})
}

package handlers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/telegram"
)

// faultsPage is the page that TestFaults writes.
const faultsPage = "../docs/faults.md"

const pageHeading = `# What happens when something breaks

Each row of these tables was tried out: a test breaks one call in the way that is named, looks at the chat and the database,
lets the fault be over, and waits until the person has what they wanted. It writes this page, and fails if the page is not
current, if anything is bought twice or charged without a word, and if goods do not arrive in the end:

` + "```" + `
go test ./handlers -run TestFaults          # check
go test ./handlers -run TestFaults -update  # write this page again
` + "```" + `

Texts are the first words that people see in English. “as usual” is what they see when nothing is broken, within 8 seconds
unless a longer time is named.
`

// cell is what became of one fault: what the person saw, what was stored meanwhile, and how
// it went on when the fault was over.
type cell struct{ saw, stored, then string }

// trial is one cell of the page that is still to be found out.
type trial struct {
	scene string // the row's first column
	fault string
	run   func(t *testing.T) cell
}

// results are the cells of a table, by scene and fault. Trials run in parallel.
type results struct {
	mu    sync.Mutex
	cells map[[2]string]cell
}

// TestFaults breaks each call of the program in each way that the pretend servers know,
// and fails where something is lost, bought twice or charged without a word. What it finds
// out is docs/faults.md.
func TestFaults(t *testing.T) {
	pgtest.SQLiteOnly(t)
	tables := []struct {
		heading string
		trials  []trial
	}{
		{marketHeading, marketTrials()},
		{telegramHeading, telegramTrials()},
		{databaseHeading, databaseTrials()},
	}
	found := results{cells: map[[2]string]cell{}}
	t.Run("cells", func(t *testing.T) {
		for _, table := range tables {
			for _, trial := range table.trials {
				t.Run(trial.scene+"/"+trial.fault, func(t *testing.T) {
					t.Parallel()
					got := trial.run(t)
					found.mu.Lock()
					defer found.mu.Unlock()
					found.cells[[2]string{trial.scene, trial.fault}] = got
				})
			}
		}
	})
	t.Run("page", func(t *testing.T) {
		var page strings.Builder
		page.WriteString(pageHeading)
		for _, table := range tables {
			page.WriteString(table.heading)
			found.write(&page, table.trials)
		}
		if *update {
			must(t, os.WriteFile(faultsPage, []byte(page.String()), 0o600))
			return
		}
		current, err := os.ReadFile(faultsPage)
		must(t, err)
		if diff := cmp.Diff(string(current), page.String()); diff != "" {
			t.Errorf("%s is not current, run: go test ./handlers -run TestFaults -update (-page +found out)\n%s", faultsPage, diff)
		}
	})
}

// TestFaultsOfEveryCall: each method of Telegram that the program calls has a scene, and each
// action of the marketplace.
func TestFaultsOfEveryCall(t *testing.T) {
	scenes := []string{"setWebhook", "getWebhookInfo"} // the page says where they are broken
	for _, scene := range telegramScenes {
		scenes = append(scenes, scene.methods()...)
	}
	for _, scene := range marketScenes {
		scenes = append(scenes, scene.action)
	}
	for files, call := range map[string]*regexp.Regexp{
		"../bot/*.go":                        regexp.MustCompile(`"([a-z]+[A-Z]\w+)"`),
		"../internal/sandbox/market/http.go": regexp.MustCompile(`case "(\w+)":\s+return action`),
	} {
		paths, err := filepath.Glob(files)
		must(t, err)
		found := 0
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			source, err := os.ReadFile(path)
			must(t, err)
			for _, match := range call.FindAllSubmatch(source, -1) {
				found++
				if name := string(match[1]); !slices.Contains(scenes, name) {
					t.Errorf("%s: %s has no scene", path, name)
				}
			}
		}
		if found < 16 {
			t.Errorf("only %d calls were found in %s", found, files)
		}
	}
}

// row is the faults of a scene that have one cell.
type row struct {
	faults []string
	cell
}

// write writes a table. Faults of a scene with equal cells share a row, and scenes with
// equal rows share these.
func (r *results) write(page *strings.Builder, trials []trial) {
	var scenes []string
	rows := map[string][]row{}
	for _, trial := range trials {
		if rows[trial.scene] == nil {
			scenes = append(scenes, trial.scene)
		}
		got := r.cells[[2]string{trial.scene, trial.fault}]
		i := slices.IndexFunc(rows[trial.scene], func(r row) bool { return r.cell == got })
		if i < 0 {
			i, rows[trial.scene] = len(rows[trial.scene]), append(rows[trial.scene], row{cell: got})
		}
		rows[trial.scene][i].faults = append(rows[trial.scene][i].faults, trial.fault)
	}
	for len(scenes) > 0 {
		equal := scenes[:1:1]
		var others []string
		for _, scene := range scenes[1:] {
			if reflect.DeepEqual(rows[scene], rows[scenes[0]]) {
				equal = append(equal, scene)
			} else {
				others = append(others, scene)
			}
		}
		name := strings.Join(equal, "<br>")
		for _, row := range rows[scenes[0]] {
			fmt.Fprintf(page, "| %s | %s | %s | %s | %s |\n", name, strings.Join(row.faults, ", "), row.saw, row.stored, row.then)
			name = ""
		}
		scenes = others
	}
}

// shown is a message as the person sees it.
func shown(m telegram.Message) string { return m.Text + fmt.Sprint(m.Keyboard) }

// screen is a chat at one time: its messages by their ids, and the taps that were answered.
type screen struct {
	messages map[int]string
	answers  int
}

func (w *world) screen() screen {
	s := screen{messages: map[int]string{}, answers: len(w.chat.Answers())}
	for _, m := range w.chat.Messages() {
		s.messages[m.ID] = shown(m)
	}
	return s
}

// news returns the last message of the bot that is new or changed since before, and the
// answers to taps since then that say something.
func (w *world) news(before screen) (last telegram.Message, toast string, ok bool) {
	for _, m := range w.chat.Messages() {
		if m.FromBot && !m.Deleted && before.messages[m.ID] != shown(m) {
			last, ok = m, true
		}
	}
	for _, answer := range w.chat.Answers()[before.answers:] {
		if answer.Text != "" {
			toast, ok = answer.Text, true
		}
	}
	return last, toast, ok
}

// wait waits at most a minute until the person sees something that is no progress, and
// returns what, with how long it took; asUsual for what has this text.
func (w *world) wait(before screen, usual string) string {
	began := time.Now()
	pass(time.Second / 2) // the program does most at full seconds
	for ; time.Since(began) < time.Minute; pass(time.Second) {
		last, toast, ok := w.news(before)
		if !ok || strings.HasPrefix(last.Text, "⏳") {
			continue
		}
		saw := gist(last.Text)
		if usual != "" && strings.Contains(shown(last)+toast, usual) && !strings.Contains(last.Text, stale) && !strings.HasPrefix(last.Text, "⚠️") {
			saw = asUsual
		}
		if toast != "" && saw != asUsual {
			saw = strings.TrimSpace(saw + " [" + gist(toast) + "]")
		}
		if took := roughly(time.Since(began)); took != "" {
			saw += " (" + took + ")"
		}
		return saw
	}
	return nothing
}

const (
	asUsual = "as usual"
	nothing = "nothing"
	// stale is on a screen that is drawn from the cache.
	stale = "⚠️ HStockPlus isn’t answering."
)

var (
	timeOfDay = regexp.MustCompile(`\d\d:\d\d UTC( \([^)]*\))?`)
	words     = regexp.MustCompile(`says: “[^”]*”`)
	spaces    = regexp.MustCompile(`\s+`)
)

// maxGist is how many bytes of a text a cell shows, unless its first sentence is longer.
const maxGist = 110

// gist returns what a text says first, for a cell of a table: its first paragraph, or the
// warning below the heading.
func gist(text string) string {
	paragraphs := strings.Split(text, "\n\n")
	says := paragraphs[0]
	if !startsWithSign(says) {
		if i := slices.IndexFunc(paragraphs, startsWithSign); i >= 0 {
			says = paragraphs[i]
		}
	}
	says = spaces.ReplaceAllString(words.ReplaceAllString(timeOfDay.ReplaceAllString(says, "…"), "says: “…”"), " ")
	if end := strings.LastIndex(says[:min(len(says), maxGist)], ". "); len(says) > maxGist && end > 0 {
		says = says[:end+1] + " …"
	}
	return strings.NewReplacer("|", "\\|", "<", "\\<", "*", "\\*", "_", "\\_").Replace(says)
}

// startsWithSign reports whether a paragraph says that something is wrong.
func startsWithSign(paragraph string) bool {
	return slices.ContainsFunc([]string{"⚠️", "✖", "❔", "🔑"}, func(sign string) bool { return strings.HasPrefix(paragraph, sign) })
}

// roughly says how long something took that a person waits for, or nothing where it was a
// moment. It is rough enough that the jitter of retries does not show.
func roughly(d time.Duration) string {
	if d > 8*time.Second {
		return "within 40 s"
	}
	return ""
}

// until lets at most 70 minutes pass until something is done, and says roughly how long it
// took. It fails if it never is.
func (w *world) until(what string, done func() bool) string {
	w.T.Helper()
	began := time.Now()
	for step := time.Second; !done(); step = min(2*step, time.Minute) {
		if time.Since(began) > 70*time.Minute {
			w.T.Fatalf("%s never came:\n%s", what, w.chat.History())
		}
		pass(step)
	}
	switch took := time.Since(began); {
	case took < 70*time.Second:
		return "within a minute"
	case took < 12*time.Minute:
		return "within 12 minutes"
	default:
		return "within an hour"
	}
}

// stored says what the database has of the person's purchases and orders.
func (w *world) stored() string {
	w.T.Helper()
	var rows []string
	w.Select(&rows, `SELECT 'purchase ' || state FROM purchases ORDER BY created_at`)
	var orders []string
	w.Select(&orders, `SELECT CASE WHEN closed_at > 0 THEN 'order closed' WHEN cancel_sent_at > 0 THEN 'order open, its cancel sent' ELSE 'order open' END FROM orders ORDER BY created_at`)
	rows = append(rows, orders...)
	if len(rows) == 0 {
		return nothing
	}
	return strings.ReplaceAll(strings.Join(rows, ", "), "outcome_unknown", "of unknown outcome")
}

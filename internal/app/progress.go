package app

import (
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far a long command is.
type progress struct {
	to    io.Writer
	bar   *progressbar.ProgressBar // nil where to is no terminal
	shown string                   // the last task
}

func newProgress(to io.Writer) *progress {
	p := &progress{to: to}
	if file, ok := to.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.bar = newBar(to)
	}
	return p
}

func newBar(to io.Writer) *progressbar.ProgressBar {
	return progressbar.NewOptions64(1, progressbar.OptionSetWriter(to), progressbar.OptionShowCount(),
		progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish())
}

// show shows a task, and how many of its rows are done; 0 of 0 where it has none.
// An error of writing can't be reported anywhere.
func (p *progress) show(task string, done, total int64) {
	if p.bar == nil {
		if task != p.shown {
			_, _ = fmt.Fprintln(p.to, task)
		}
		p.shown = task
		return
	}
	if task != p.shown {
		p.bar.Describe(task)
		p.shown = task
	}
	if total > 0 {
		p.bar.ChangeMax64(total)
		_ = p.bar.Set64(min(done, total-1)) // a full bar would end
	}
}

// close removes the bar.
func (p *progress) close() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

package web

import (
	"errors"

	"hstockbot/internal/sandbox/telegram"
)

// inlineView is what a person sees above the text field while they type the bot's name
// and a query.
type inlineView struct {
	Results []inlineResultView `json:"results"`
	More    bool               `json:"more"`             // there is a next page
	Button  string             `json:"button,omitempty"` // above the results
}

type inlineResultView struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	About string `json:"about"`
}

// viewInline returns nil while there is no answer.
func viewInline(person *telegram.Client) *inlineView {
	answer, ok := person.InlineAnswer()
	if !ok {
		return nil
	}
	view := &inlineView{Results: []inlineResultView{}, More: answer.NextOffset != "", Button: answer.Button}
	for _, r := range answer.Results {
		view.Results = append(view.Results, inlineResultView{r.ID, r.Title, r.Description})
	}
	return view
}

// inline sends an inline query, or asks for the next page of its results.
func (p *page) inline(req struct {
	Person int64  `json:"person"`
	Query  string `json:"query"`
	More   bool   `json:"more"`
},
) error {
	person, err := p.person(req.Person)
	if err != nil {
		return err
	}
	if req.More {
		return person.InlineMore()
	}
	person.Inline(req.Query)
	return nil
}

// choose sends a result to a person, or to the chat with the bot if that is the person
// themselves.
func (p *page) choose(req struct {
	Person int64  `json:"person"`
	Result string `json:"result"`
	To     int64  `json:"to"`
},
) error {
	person, err := p.person(req.Person)
	if err != nil {
		return err
	}
	to, err := p.person(req.To)
	if err != nil {
		return err
	}
	if err := person.Share(req.Result, to); err != nil {
		return errors.New("the results have changed")
	}
	return nil
}

func (p *page) inlineButton(req struct {
	Person int64 `json:"person"`
},
) error {
	person, err := p.person(req.Person)
	if err != nil {
		return err
	}
	return person.TapInlineButton()
}

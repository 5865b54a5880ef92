package telegram

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// article is an inline result; more replaces or adds fields.
func article(id string, more params) params {
	p := params{"type": "article", "id": id, "title": "Title " + id, "input_message_content": params{"message_text": "<b>Text " + id + "</b>", "parse_mode": "HTML"}}
	for name, v := range more {
		p[name] = v
	}
	return p
}

func TestInlineValidation(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	t.Cleanup(s.Close)
	ann := s.Join(Person{ID: annID, FirstName: "Ann"})
	results := func(n int) (list []params) {
		for i := range n {
			list = append(list, article(fmt.Sprint(i), nil))
		}
		return list
	}
	one := func(more params) params { return params{"results": []params{article("1", more)}} }
	text := func(content params) params { return one(params{"input_message_content": content}) }
	button := func(more params) params { return params{"results": []params{}, "button": more} }
	for _, c := range []struct {
		name        string
		params      params
		description string // of the refusal; "": accepted
	}{
		{"none", params{"results": []params{}}, ""},
		{"fifty", params{"results": results(50)}, ""},
		{"fifty-one", params{"results": results(51)}, "RESULTS_TOO_MUCH"},
		{"all fields", params{
			"results":    []params{article("1", params{"description": "d", "thumbnail_url": "https://a.example/x.png", "reply_markup": inlineKeyboard(row(params{"text": "Open", "url": "https://t.me/x?start=p_1"}))})},
			"cache_time": 30, "is_personal": true, "next_offset": "8", "button": params{"text": "Go", "start_parameter": "a-B_9", "web_app": nil},
		}, ""},
		{"no results", params{}, "results"},
		{"duplicate id", params{"results": []params{article("1", nil), article("1", nil)}}, "RESULT_ID_DUPLICATE"},
		{"no id", params{"results": []params{article("", nil)}}, "RESULT_ID_EMPTY"},
		{"id of 64", params{"results": []params{article(strings.Repeat("a", 64), nil)}}, ""},
		{"id of 65", params{"results": []params{article(strings.Repeat("a", 65), nil)}}, "RESULT_ID_INVALID"},
		{"no title", one(params{"title": " "}), "ARTICLE_TITLE_EMPTY"},
		{"unparsable", text(params{"message_text": "<b>x", "parse_mode": "HTML"}), "can't parse entities"},
		{"no text", text(params{"message_text": " "}), "message text is empty"},
		{"long text", text(params{"message_text": strings.Repeat("a", 4097)}), "message is too long"},
		{"bad thumbnail", one(params{"thumbnail_url": "ftp://a.example/x"}), "WEBDOCUMENT_URL_INVALID"},
		{"bad URL of a button", one(params{"reply_markup": inlineKeyboard(row(params{"text": "Open", "url": "x"}))}), "Wrong HTTP URL"},
		{"callback", one(params{"reply_markup": inlineKeyboard(row(callbackButton("a", "b")))}), "not implemented"},
		{"photo", params{"results": []params{{"type": "photo", "id": "1", "photo_url": "https://a.example/x.png", "thumbnail_url": "https://a.example/x.png"}}}, "not implemented"},
		{"unknown field", one(params{"colour": "red"}), "can't parse results"},
		{"long offset", params{"results": []params{}, "next_offset": strings.Repeat("1", 65)}, "NEXT_OFFSET_INVALID"},
		{"button without a start", button(params{"text": "Go"}), "START_PARAM_EMPTY"},
		{"button with a bad start", button(params{"text": "Go", "start_parameter": "a b"}), "START_PARAM_INVALID"},
		{"button without a label", button(params{"text": " ", "start_parameter": "a"}), "SWITCH_PM_TEXT_EMPTY"},
	} {
		ann.Inline(c.name)
		c.params["inline_query_id"] = queryID(t, s, "inline_query")
		if c.description == "" {
			must(t, s, "answerInlineQuery", c.params)
			wantRefusal(t, s, "answerInlineQuery", c.params, 400, expiredQuery) // a second answer
			continue
		}
		if got := wantRefusal(t, s, "answerInlineQuery", c.params, 400, c.description); got.OK {
			t.Errorf("%s is taken", c.name)
		}
	}
	wantRefusal(t, s, "answerInlineQuery", params{"results": []params{}}, 400, expiredQuery)
	wantRefusal(t, s, "answerInlineQuery", params{"inline_query_id": "1", "results": []params{}}, 400, expiredQuery)
}

func TestInlineQueries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Username: "shop_bot"})
		t.Cleanup(s.Close)
		ann, bo := s.Join(Person{ID: 7, FirstName: "Ann"}), s.Join(Person{ID: 8, FirstName: "Bo"})
		group := s.Group(-5, "Friends")
		ann.Inline(strings.Repeat("ä", 300))
		updates := drain(t, s)
		if n := strings.Count(string(updates[len(updates)-1]["inline_query"]), "ä"); n != maxInlineQuery {
			t.Errorf("the query has %d characters, want %d", n, maxInlineQuery)
		}

		ann.Inline("gm")
		late := queryID(t, s, "inline_query")
		ann.Inline("gmail")
		id := queryID(t, s, "inline_query")
		must(t, s, "answerInlineQuery", params{"inline_query_id": late, "results": []params{article("0", nil)}, "cache_time": 0})
		if _, ok := ann.InlineAnswer(); ok {
			t.Error("the answer to an older query is shown")
		}
		must(t, s, "answerInlineQuery", params{"inline_query_id": id, "results": []params{article("1", params{"description": "cheap"})}, "next_offset": "1", "is_personal": true, "cache_time": 60})
		if err := ann.InlineMore(); err != nil {
			t.Fatal(err)
		}
		must(t, s, "answerInlineQuery", params{"inline_query_id": queryID(t, s, "inline_query"), "results": []params{article("2", nil)}, "is_personal": true, "cache_time": 60})
		seen, _ := ann.InlineAnswer()
		if len(seen.Results) != 2 || seen.NextOffset != "" || seen.Results[1].Message.Text != "Text 2" {
			t.Errorf("Ann sees %+v", seen)
		}
		if err := ann.InlineMore(); err == nil {
			t.Error("InlineMore succeeded after the last page")
		}
		if err := ann.Choose("Title 2", group); err != nil {
			t.Fatal(err)
		}
		if err := ann.Choose("Title 1", nil); err == nil {
			t.Error("a second choice succeeded")
		}
		if via := string(drain(t, s)[0]["message"]); !strings.Contains(via, `"via_bot"`) {
			t.Errorf("the bot got %s", via)
		}

		// To a person: the bot gets nothing of it.
		ann.Inline("gmail")
		if err := ann.Share("9", bo); err == nil {
			t.Error("an unknown result is shared")
		}
		if err := ann.Share("1", bo); err != nil {
			t.Fatal(err)
		}
		if got := bo.Received(); len(got) != 1 || got[0].From.FirstName != "Ann" || got[0].Via != "shop_bot" || got[0].Text != "Text 1" || len(bo.Messages()) != 0 || s.Pending() != 0 {
			t.Errorf("Bo received %+v; %d updates are pending", got, s.Pending())
		}
		if _, ok := ann.InlineAnswer(); ok {
			t.Error("the results are still shown")
		}
		ann.Inline("gmail")
		if err := ann.Share("1", ann); err != nil || ann.Last().Via != "shop_bot" || len(drain(t, s)) != 1 {
			t.Errorf("%v; in the chat with the bot: %+v", err, ann.Last())
		}

		// A button types the query.
		must(t, s, "sendMessage", params{"chat_id": 7, "text": "x", "reply_markup": inlineKeyboard(row(params{"text": "Share", "switch_inline_query": "gmail"}))})
		if err := ann.Tap("Share"); err != nil || !strings.HasSuffix(ann.History(), "[ Share @ gmail ]\nAnn types @shop_bot gmail (answered from the cache)\n   ▫ Title 1\n      cheap\n   …\n") {
			t.Errorf("%v; the history is\n%s", err, ann.History())
		}

		// A personal answer is cached for Ann only, and expires.
		before := s.Pending()
		ann.Inline("gmail")
		if seen, _ := ann.InlineAnswer(); !seen.Cached || s.Pending() != before {
			t.Errorf("the bot got a query while the answer was cached: %+v", seen)
		}
		bo.Inline("gmail")
		queryID(t, s, "inline_query")
		time.Sleep(61 * time.Second)
		ann.Inline("gmail")
		id = queryID(t, s, "inline_query")
		time.Sleep(inlineLifetime + time.Second)
		wantRefusal(t, s, "answerInlineQuery", params{"inline_query_id": id, "results": []params{}}, 400, expiredQuery)

		ann.Inline("nobody")
		must(t, s, "answerInlineQuery", params{"inline_query_id": queryID(t, s, "inline_query"), "results": []params{}, "button": params{"text": "Open", "start_parameter": "key"}})
		if err := ann.TapInlineButton(); err != nil {
			t.Fatal(err)
		}
		want := "#1 Ann via @shop_bot: *Text 2*\n"
		if got := group.Transcript(); got != want {
			t.Errorf("the group sees\n%s", got)
		}
		if last := ann.Last().Text; last != "/start key" {
			t.Errorf("the button sends %q", last)
		}
		for _, want := range []string{
			"Ann types @shop_bot gmail\n   ▫ Title 1\n      cheap\n   …\nAnn types @shop_bot gmail … from 1\n   ▫ Title 2\n",
			"Ann types @shop_bot gmail (answered from the cache)\n", "Ann types @shop_bot gmail (no answer)\n",
			"Ann types @shop_bot nobody\n   [ Open ↗ /start key ]\n",
		} {
			if history := ann.History(); !strings.Contains(history, want) {
				t.Errorf("the history has no\n%s\nbut\n%s", want, history)
			}
		}
	})
}

package handlers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/news"
	"hstockbot/internal/outbox"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// postLanguage returns the language of posts in the channel.
func (n *Notifier) postLanguage() *locales.Localizer { return n.Bundle.Localizer(n.DefaultLang) }

// PostNews sends a post to the channel.
func (n *Notifier) PostNews(ctx context.Context, chat int64, post news.Post) (messageID int64, err error) {
	username := n.Bot.Username(ctx)
	if username == "" {
		return 0, errNoUsername
	}
	view := postView(n.postLanguage(), username, post, n.SMMRatePer)
	view.Silent = n.Quiet(time.Now())
	id, err := n.Bot.Post(ctx, chat, outbox.PriorityNews, view)
	return int64(id), err
}

// EditNews draws a post again.
func (n *Notifier) EditNews(ctx context.Context, chat, messageID int64, post news.Post) error {
	username := n.Bot.Username(ctx)
	if username == "" {
		return errNoUsername
	}
	return n.Bot.EditPost(ctx, chat, int(messageID), postView(n.postLanguage(), username, post, n.SMMRatePer))
}

// ChannelFault returns why a channel can't be posted to, "" if it can.
func (n *Notifier) ChannelFault(ctx context.Context, chat int64) (string, error) {
	place, err := n.Bot.Place(ctx, chat)
	switch {
	case errors.Is(err, outbox.ErrUnreachable):
		return news.FaultGone, nil
	case err != nil:
		return "", err
	case !place.Member:
		return news.FaultGone, nil
	case !place.Post:
		return news.FaultNoRights, nil
	default:
		return "", nil
	}
}

// postView renders a post. Each name is a link to its product: Telegram makes links of
// what looks like one, but not inside of another link, so names can't forge any.
func postView(l *locales.Localizer, username string, post news.Post, ratePer int64) bot.View {
	start := func(parameter string) string { return "https://t.me/" + username + "?start=" + parameter }
	var lines []string
	var goods []keyboards.PostedProduct
	for i, line := range post.Lines {
		if i == 0 || line.Kind != post.Lines[i-1].Kind {
			if i > 0 {
				lines = append(lines, "")
			}
			lines = append(lines, "<b>"+locales.Escape(keyboards.NewsLabel(l, groupOf(line.Kind)))+"</b>")
		}
		address, place := start(fmt.Sprintf("p_%d", line.Service)), ""
		if len(post.Lines) > 1 {
			place = l.Number(int64(i + 1))
		}
		text := postLine(l, line, postLink(address, title(l, line.Name)), ratePer)
		if place != "" {
			text = place + ". " + text
		}
		lines = append(lines, text)
		if !line.Struck {
			goods = append(goods, keyboards.PostedProduct{Place: place, URL: address})
		}
	}
	if post.More > 0 {
		lines = append(lines, "", `<a href="`+start(startNews)+`">`+l.N("channel_post_more", post.More)+"</a>")
	}
	return bot.View{Text: strings.Join(lines, "\n"), L: l, Keyboard: keyboards.PostKeyboard(l, goods)}
}

func postLink(address, name string) locales.HTML {
	return locales.HTML(`<a href="` + address + `">` + locales.Escape(name) + "</a>")
}

// postLine returns the line of a post about a product.
func postLine(l *locales.Localizer, line storage.News, product locales.HTML, per int64) string {
	pieces := perPieces(l, ratePer(line.SMM, per))
	args := locales.Args{
		"Product": product, "Price": l.Money(line.Price, line.Currency) + pieces, "Before": l.Money(line.OldPrice, line.Currency),
	}
	switch {
	case line.Struck:
		return l.T("channel_post_sold_out", args)
	case line.Kind == storage.NewsDrop:
		return l.T("channel_post_drop", args)
	default:
		return l.T("channel_post_line", args)
	}
}

// groupOf returns the group of a kind of news.
func groupOf(kind storage.NewsKind) keyboards.NewsGroup {
	for group, of := range newsKinds {
		if of == kind {
			return keyboards.NewsGroup(group)
		}
	}
	return keyboards.NewsRestocks
}

// channelLostView says that the channel can't be posted to.
func channelLostView(l *locales.Localizer, fault string) bot.View {
	return bot.View{Text: l.T("channel_lost") + "\n\n" + channelFaultText(l, fault), Keyboard: keyboards.ChannelLostKeyboard(l)}
}

// channelFaultText says why the channel can't be posted to.
func channelFaultText(l *locales.Localizer, fault string) string {
	if fault == news.FaultNoRights {
		return l.T("channel_fault_rights")
	}
	return l.T("channel_fault_gone")
}

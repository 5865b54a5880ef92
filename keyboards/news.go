package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// NewsGroup is a kind of news. Its values are part of the callback data.
type NewsGroup uint8

// The groups of news, in their order.
const (
	NewsRestocks NewsGroup = iota
	NewsDrops
	NewsNew
)

// NewsArgs is a page of a group of news.
type NewsArgs struct {
	Group NewsGroup
	Page  uint16
}

// News is the route of what is new in the catalogue.
var News = route.New[NewsArgs]("wn")

// Products returns the list of products of a page.
func (a NewsArgs) Products() ProductList {
	return ProductList{From: FromNews, Search: int64(a.Group), Page: a.Page}
}

// NewsLabel returns the name of a group.
func NewsLabel(l *locales.Localizer, group NewsGroup) string {
	return [...]string{l.Label("news_group_restock"), l.Label("news_group_drop"), l.Label("news_group_new")}[group]
}

// NewsKeyboard lists one page of a group. counts are the numbers of news of all groups; a
// group without any has no button.
func NewsKeyboard(l *locales.Localizer, args NewsArgs, counts [NewsNew + 1]int, goods []Item) Rows {
	var groups []Button
	for group, count := range counts {
		label := NewsLabel(l, NewsGroup(group)) + " · " + l.Number(int64(count))
		if NewsGroup(group) == args.Group {
			label = "• " + label
		}
		if count > 0 {
			groups = append(groups, Tap(label, News.Data(NewsArgs{Group: NewsGroup(group)})))
		}
	}
	rows := append(inRows(2, groups), column(l, goods)...)
	rows = append(rows, Pages(args.Page, counts[args.Group], func(page uint16) string {
		return News.Data(NewsArgs{Group: args.Group, Page: page})
	})...)
	return append(rows, Foot(l, "")...)
}

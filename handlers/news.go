package handlers

import (
	"context"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// maxNews limits the news of a kind that are listed.
const maxNews = 200

// newsKinds are the kinds of news by their groups.
var newsKinds = [...]storage.NewsKind{
	keyboards.NewsRestocks: storage.NewsRestock, keyboards.NewsDrops: storage.NewsDrop, keyboards.NewsNew: storage.NewsNew,
}

// news lists what is new in the catalogue and can be bought now, the newest first. A group
// without news shows the first one that has some.
func (s *Screens) news(ctx context.Context, req *bot.Request, args keyboards.NewsArgs) (bot.View, error) {
	var (
		found  [len(newsKinds)][]storage.News
		counts [len(newsKinds)]int
		first  = -1
	)
	for group, kind := range newsKinds {
		var err error
		if found[group], err = s.DB.LatestNews(ctx, kind, time.Now(), maxNews); err != nil {
			return bot.View{}, err
		}
		if counts[group] = len(found[group]); counts[group] > 0 && first < 0 {
			first = group
		}
	}
	if first < 0 {
		return bot.View{Text: req.L.T("news_empty"), Keyboard: keyboards.Foot(req.L, "")}, nil
	}
	if int(args.Group) >= len(found) || counts[args.Group] == 0 {
		args = keyboards.NewsArgs{Group: keyboards.NewsGroup(first)}
	}
	group := found[args.Group]
	args.Page = keyboards.PageArg(keyboards.ClampPage(int(args.Page), len(group)))
	shown := keyboards.Page(group, int(args.Page))
	access, err := s.access(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	products, smm := servicesOf(shown)
	items, fresh, err := s.Catalog.Items(ctx, access, req.L.Lang(), products, smm)
	if err != nil {
		return bot.View{}, err
	}
	entries := make([]keyboards.Item, 0, len(shown))
	for _, n := range shown {
		if item, ok := items[n.Service]; ok { // else it is gone since the last comparison
			n.OldPrice = access.Price(n.OldPrice)
			entries = append(entries, s.newsEntry(req.L, n, item, keyboards.Product.Data(keyboards.ProductArgs{Service: n.Service, ProductList: args.Products()})))
		}
	}
	return bot.View{
		Text:     req.L.T("news_text", locales.Args{"Group": keyboards.NewsLabel(req.L, args.Group)}) + staleNote(req.L, fresh),
		Keyboard: keyboards.NewsKeyboard(req.L, args, counts, entries),
	}, nil
}

// newsEntry is itemEntry, for a price drop with the price before instead of the stock.
func (s *Screens) newsEntry(l *locales.Localizer, n storage.News, item hstock.Item, data string) keyboards.Item {
	entry := s.itemEntry(l, item, data)
	if n.Kind == storage.NewsDrop && !item.SoldOut() && item.Currency == n.Currency && item.Rate.LessThan(n.OldPrice) {
		entry.Rest = " · " + l.Money(n.OldPrice, n.Currency) + " → " + priceOf(l, item.Rate, item.Currency, ratePer(n.SMM, s.SMMRatePer))
	}
	return entry
}

// servicesOf returns the numbers of products and of SMM services in news.
func servicesOf(all []storage.News) (products, smm []int64) {
	for _, n := range all {
		if n.SMM {
			smm = append(smm, n.Service)
		} else {
			products = append(products, n.Service)
		}
	}
	return products, smm
}

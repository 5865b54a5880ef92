package hstock

import (
	"context"
	"errors"
	"iter"

	"hstockbot/internal/redact"
)

const (
	pageSize    = 5000 // items; maxReadBytes has room for 1.6 KiB for each
	minPageSize = 50   // a page of so few that is too large is a failure
)

// Pages fetches the items of a filter page after page, with the method Products or
// Services of a Client. Each page has only items that those before have not: the
// catalogue may change in between, or the marketplace ignores Page. Pages that are too
// large are requested again with fewer items. An error ends it.
func Pages(
	ctx context.Context, key redact.Secret, f Filter, fetch func(context.Context, redact.Secret, Filter) (Page, error),
) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		seen := map[int64]bool{}
		f.Page, f.Limit = 1, pageSize
		for {
			page, err := fetch(ctx, key, f)
			if errors.Is(err, ErrTooLarge) && f.Limit > minPageSize {
				f.Page, f.Limit = 1, f.Limit/4
				continue
			}
			if err != nil {
				yield(Page{}, err)
				return
			}
			received := len(page.Items)
			items := make([]Item, 0, received)
			for i := range page.Items {
				if service := page.Items[i].Service; !seen[service] {
					seen[service] = true
					items = append(items, page.Items[i])
				}
			}
			page.Items = items
			// Without a total, a full page may have another behind it.
			last := f.Page >= page.TotalPages && (received != f.Limit || page.Total != received)
			if !yield(page, nil) || last || len(items) == 0 || received > f.Limit {
				return
			}
			f.Page++
		}
	}
}

// AllPages returns the items of Pages as one page, at most so many.
func AllPages(
	ctx context.Context, key redact.Secret, f Filter, most int, fetch func(context.Context, redact.Secret, Filter) (Page, error),
) (Page, error) {
	all := Page{Page: 1, TotalPages: 1}
	for page, err := range Pages(ctx, key, f, fetch) {
		if err != nil {
			return Page{}, err
		}
		all.Total = page.Total
		all.Items = append(all.Items, page.Items[:min(len(page.Items), most-len(all.Items))]...)
		if len(all.Items) == most {
			break
		}
	}
	all.Total = max(all.Total, len(all.Items))
	all.Limit = all.Total
	return all, nil
}

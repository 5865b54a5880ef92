package hstock

import (
	"context"
	"errors"
	"slices"
	"testing"

	"hstockbot/internal/redact"
)

// fakeList answers pages of services 1 to total, as a marketplace would that has
// some peculiarity. It records the requested pages and limits.
type fakeList struct {
	total      int
	cap        int  // items on a page, whatever limit is requested
	tooLarge   int  // items of a page that is too large
	noTotal    bool // as in a bare array
	ignoresAll bool // page and limit
	samePage   bool // whatever page is requested
	moved      int  // items that go away after the first page
	requested  []int
}

func (l *fakeList) fetch(_ context.Context, _ redact.Secret, f Filter) (Page, error) {
	l.requested = append(l.requested, f.Page, f.Limit)
	limit := f.Limit
	if l.cap > 0 {
		limit = min(limit, l.cap)
	}
	from, to := min((f.Page-1)*limit, l.total), min(f.Page*limit, l.total)
	if l.samePage {
		from, to = 0, limit
	}
	if f.Page > 1 {
		from -= l.moved
	}
	if l.ignoresAll {
		from, to = 0, l.total
	}
	if l.tooLarge > 0 && to-from >= l.tooLarge {
		return Page{}, &Error{Kind: Unreadable, Err: ErrTooLarge}
	}
	page := Page{Total: l.total, Page: f.Page, Limit: limit, TotalPages: (l.total-1)/limit + 1}
	for service := from + 1; service <= to; service++ {
		page.Items = append(page.Items, Item{Service: int64(service)})
	}
	if l.noTotal {
		page.Total, page.TotalPages = len(page.Items), 1
	}
	return page, nil
}

func TestPages(t *testing.T) {
	tests := []struct {
		name      string
		list      fakeList
		most      int
		want      int
		requested []int // page and limit of each call
	}{
		{"one page", fakeList{total: 3}, 50, 3, []int{1, 5000}},
		{"12,000 rows", fakeList{total: 12_000}, 50_000, 12_000, []int{1, 5000, 2, 5000, 3, 5000}},
		{"no more than wanted", fakeList{total: 12_000}, 6000, 6000, []int{1, 5000, 2, 5000}},
		{"smaller pages than requested", fakeList{total: 250, cap: 100}, 50_000, 250, []int{1, 5000, 2, 5000, 3, 5000}},
		{"no total", fakeList{total: 5001, noTotal: true}, 50_000, 5001, []int{1, 5000, 2, 5000}},
		{"no pages", fakeList{total: 6000, ignoresAll: true}, 50_000, 6000, []int{1, 5000}},
		{"large rows", fakeList{total: 3000, tooLarge: 2000}, 50_000, 3000, []int{1, 5000, 1, 1250, 2, 1250, 3, 1250}},
		{"the same page again", fakeList{total: 12_000, samePage: true}, 50_000, 5000, []int{1, 5000, 2, 5000}},
		{"items moved between pages", fakeList{total: 9000, moved: 10}, 50_000, 9000, []int{1, 5000, 2, 5000}},
		{"nothing", fakeList{}, 50, 0, []int{1, 5000}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			page, err := AllPages(t.Context(), secretKey, Filter{}, test.most, test.list.fetch)
			if err != nil || len(page.Items) != test.want || page.TotalPages != 1 {
				t.Errorf("%d items in %d pages, %v, want %d", len(page.Items), page.TotalPages, err, test.want)
			}
			for i, item := range page.Items {
				if item.Service != int64(i+1) {
					t.Fatalf("item %d is %d", i, item.Service)
				}
			}
			if !slices.Equal(test.list.requested, test.requested) {
				t.Errorf("requested %v, want %v", test.list.requested, test.requested)
			}
		})
	}
}

func TestPagesFail(t *testing.T) {
	list := fakeList{total: 50_000, tooLarge: 1}
	if _, err := AllPages(t.Context(), secretKey, Filter{}, 50, list.fetch); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
}

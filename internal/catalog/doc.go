// Package catalog is the marketplace's catalogue, translated and cached. It owns
// which calls answer a question, how long answers are cached, and how two
// languages are joined. It contains nothing about screens, users or the database.
//
// Names. The marketplace's filters take English names; people read their own
// language. Lists are therefore fetched in both languages and joined: countries,
// projects and items by their ids, categories by position, because they have no ids
// (join.go). Where the category lists do not match they are fetched once more;
// if they still differ, the English names are shown.
//
// A shelf contains what the marketplace's filter returns. It is never computed from
// Item.Category: in the marketplace's own examples that name differs from the
// filter's.
//
// The projects of all countries are joined by their English names (apps.go). Where the
// marketplace does not list all of them in one answer, each country is asked, in the background.
//
// Prices are those of the marketplace, or with the markup of a person's allowance (Access),
// which is added to an answer after the cache.
//
// Caching. Answers are fresh for Options.TTL (stock and single items for 15 s)
// and are shared by all API keys; those with prices only by keys of the same currency.
// Concurrent callers of the same question share
// one call to the marketplace; if it fails because of the first caller's key,
// the next caller fetches with its own. While the marketplace is down, or takes
// longer than 3 s, the last good answer of up to 24 hours is returned, marked as
// stale, and the marketplace is asked again after 15 s. Inventory with fresh never
// returns a stale answer, because it precedes a payment.
//
// Lists are fetched in pages, and one SMM service page by page until it is found.
// Search covers the whole catalogue, at most 50,000 items in each language. Its index is built at the first search of an answer
// and is evicted with it.
package catalog

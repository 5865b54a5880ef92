package catalog

import (
	"maps"
	"slices"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
)

// Access is what one person reads the catalogue with.
type Access struct {
	Key redact.Secret
	// Markup returns the price that the person pays for one of the marketplace's, nil where
	// that is the same. Answers are cached without it.
	Markup func(price decimal.Decimal) decimal.Decimal
}

// Price returns what the person pays for a price of the marketplace's.
func (a Access) Price(price decimal.Decimal) decimal.Decimal {
	if a.Markup == nil {
		return price
	}
	return a.Markup(price)
}

func (a Access) item(item hstock.Item) hstock.Item {
	item.Rate = a.Price(item.Rate)
	return item
}

func (a Access) items(items []hstock.Item) []hstock.Item {
	if a.Markup == nil {
		return items
	}
	items = slices.Clone(items)
	for i := range items {
		items[i].Rate = a.Markup(items[i].Rate)
	}
	return items
}

func (a Access) itemsByService(items map[int64]hstock.Item) map[int64]hstock.Item {
	if a.Markup == nil {
		return items
	}
	items = maps.Clone(items)
	for service, item := range items {
		items[service] = a.item(item)
	}
	return items
}

func (a Access) projects(projects []Project) []Project {
	if a.Markup == nil {
		return projects
	}
	projects = slices.Clone(projects)
	for i := range projects {
		projects[i].Price = a.Markup(projects[i].Price)
	}
	return projects
}

func (a Access) apps(apps []App) []App {
	if a.Markup == nil {
		return apps
	}
	apps = slices.Clone(apps)
	for i := range apps {
		apps[i].Offers = slices.Clone(apps[i].Offers)
		for j := range apps[i].Offers {
			price := &apps[i].Offers[j].Project.Price
			*price = a.Markup(*price)
		}
	}
	return apps
}

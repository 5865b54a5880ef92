package market

import (
	"fmt"
	"slices"

	"github.com/shopspring/decimal"
)

// country is where numbers are rented.
type country struct {
	Code    string // "us"
	Dial    string // "1"
	Name    string // English; "": CLDR's name
	Percent int64  // of the prices in the US; 0: 100
	Without bool   // no projects at all

	place  int
	offers []*offer // read them with offersOf
	spread bool
}

// project is a service that sends codes.
type project struct {
	Name  string
	Price decimal.Decimal // in the US
	Left  *int            // numbers in the US; nil: the seed chooses

	id    string
	place int
}

// offer is a project in a country.
type offer struct {
	project *project
	country *country
	price   decimal.Decimal
	left    int
}

// everywhere is how many countries, from the first, have every project; and
// keystones how many projects, from the first, are in every country.
const (
	everywhere = 12
	keystones  = 4
)

// loadProjects reads data/sms.toml.
func (w *world) loadProjects() {
	var file struct {
		Country []*country
		Project []*project
	}
	load("data/sms.toml", &file)
	w.countries, w.projects = file.Country, file.Project
	for i, c := range w.countries {
		c.place = i
	}
	for i, p := range w.projects {
		p.place, p.id = i, fmt.Sprintf("65f0a1b2c3d4e5f6%08x", i+1)
	}
}

// offersOf returns what there is in a country, spread out when first asked:
// most worlds are for tests that rent no number.
func (w *world) offersOf(c *country) []*offer {
	if c.spread || c.Without {
		return c.offers
	}
	c.spread = true
	for _, p := range w.projects {
		chance := scatter(int64(c.place), int64(p.place))
		if c.place >= everywhere && p.place >= keystones && chance%3 == 0 {
			continue
		}
		o := &offer{project: p, country: c, price: p.Price, left: 20 + newDice(w.seed, chance).below(300)}
		if c.Percent != 0 {
			o.price = p.Price.Mul(decimal.NewFromInt(c.Percent)).Shift(-2).Round(4)
		}
		if p.Left != nil && c.Code == CountryUS {
			o.left = *p.Left
		}
		c.offers = append(c.offers, o)
	}
	return c.offers
}

// offerOf finds a project in a country; "" is the first country that has it.
func (w *world) offerOf(project, code string) *offer {
	for _, c := range w.countries {
		if code != "" && c.Code != code {
			continue
		}
		if i := slices.IndexFunc(w.offersOf(c), func(o *offer) bool { return o.project.id == project }); i >= 0 {
			return c.offers[i]
		}
	}
	return nil
}

// removeProject takes a project from every country; false when there is none.
func (w *world) removeProject(id string) bool {
	before := len(w.projects)
	w.projects = slices.DeleteFunc(w.projects, func(p *project) bool { return p.id == id })
	for _, c := range w.countries {
		c.offers = slices.DeleteFunc(c.offers, func(o *offer) bool { return o.project.id == id })
	}
	return len(w.projects) < before
}

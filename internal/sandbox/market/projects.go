package market

import (
	"fmt"
	"slices"

	"github.com/shopspring/decimal"
)

// country is a country of rented numbers, as data/sms.toml defines it.
type country struct {
	Code    string // "us"
	Dial    string // "1"
	Name    string // English; "": the name in CLDR
	Percent int64  // of the price in the US; 0: 100
	Without bool   // it has no projects

	index  int
	offers []*offer // use offersOf
	loaded bool
}

// project is a service that sends codes to rented numbers.
type project struct {
	Name  string
	Price decimal.Decimal // in the US
	Left  *int            // numbers in the US; nil: the seed chooses

	id    string
	index int
}

// offer is a project in a country.
type offer struct {
	project *project
	country *country
	price   decimal.Decimal
	left    int
}

const (
	fullCountries  = 12 // the first countries have every project
	globalProjects = 4  // the first projects are in every country
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
		c.index = i
	}
	for i, p := range w.projects {
		p.index, p.id = i, fmt.Sprintf("65f0a1b2c3d4e5f6%08x", i+1)
	}
}

// offersOf returns the offers of a country. They are made on first use, because
// most tests rent no number.
func (w *world) offersOf(c *country) []*offer {
	if c.loaded || c.Without {
		return c.offers
	}
	c.loaded = true
	for _, p := range w.projects {
		id := hash(int64(c.index), int64(p.index))
		if c.index >= fullCountries && p.index >= globalProjects && id%3 == 0 {
			continue
		}
		o := &offer{project: p, country: c, price: p.Price, left: 20 + newRandom(w.seed, id).below(300)}
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

// offerOf returns the offer of a project in a country, or in the first country
// that has it if code is ""; nil if there is none.
func (w *world) offerOf(project, code string) *offer {
	for _, c := range w.countries {
		if code != "" && c.Code != code {
			continue
		}
		if o := findFunc(w.offersOf(c), func(o *offer) bool { return o.project.id == project }); o != nil {
			return o
		}
	}
	return nil
}

// removeProject removes a project from every country.
func (w *world) removeProject(removed *project) {
	w.projects = slices.DeleteFunc(w.projects, func(p *project) bool { return p == removed })
	for _, c := range w.countries {
		c.offers = slices.DeleteFunc(c.offers, func(o *offer) bool { return o.project == removed })
	}
}

package market

import (
	"fmt"

	"github.com/shopspring/decimal"
)

// country is where numbers are rented.
type country struct {
	code string // "us"
	dial string // "1"
	name string // English; "": CLDR's name
}

// project is a service that sends codes.
type project struct {
	id, name string
	price    decimal.Decimal // in the US
}

// offer is a project in a country.
type offer struct {
	project *project
	country *country
	price   decimal.Decimal
	left    int
}

type offerKey struct{ project, country string }

// everywhere is how many countries, from the first, have every project.
const everywhere = 12

// addProjects reads data/sms.toml and spreads the projects over the countries.
func (w *world) addProjects(seed uint64) {
	var file struct {
		Country []struct {
			Code, Dial, Name string
			Percent          int64 // of the price in the US; 0: 100
			Without          bool  // no projects at all
		}
		Project []struct {
			Name  string
			Price decimal.Decimal
			Left  *int // in the US
		}
	}
	load("data/sms.toml", &file)
	projects := make([]*project, len(file.Project))
	for i, p := range file.Project {
		projects[i] = &project{id: "65f0a1b2c3d4e5f6" + fmt.Sprintf("%08x", i+1), name: p.Name, price: p.Price}
	}
	for i, c := range file.Country {
		where := &country{code: c.Code, dial: c.Dial, name: c.Name}
		w.countries = append(w.countries, where)
		if c.Without {
			continue
		}
		for j, p := range projects {
			chance := mix(seed + uint64(i)<<16 + uint64(j))
			fixed := j < 4
			if i >= everywhere && !fixed && mix(uint64(i)<<16+uint64(j))%3 == 0 {
				continue
			}
			o := &offer{project: p, country: where, price: p.price, left: 20 + int(chance%300)}
			if c.Percent != 0 {
				o.price = p.price.Mul(decimal.NewFromInt(c.Percent)).Shift(-2).Round(4)
			}
			if left := file.Project[j].Left; left != nil && c.Code == CountryUS {
				o.left = *left
			}
			w.offers[offerKey{p.id, c.Code}] = o
			w.offerList = append(w.offerList, o)
		}
	}
}

package market

import (
	"slices"
	"strconv"
	"testing"

	"github.com/shopspring/decimal"
)

type page struct {
	Services, Products []rowAnswer
	Total              int
	Page, Limit        int
	TotalPages         int `json:"total_pages"`
}

func servicesOf(rows []rowAnswer) []int64 {
	var services []int64
	for _, r := range rows {
		services = append(services, r.Service)
	}
	return services
}

func TestFilters(t *testing.T) {
	s := open(t, Options{})
	rows := s.Rows()
	count := func(keep func(Row) bool) int {
		n := 0
		for _, r := range rows {
			if keep(r) {
				n++
			}
		}
		return n
	}
	shop := read[struct{ Shops []shopAnswer }](t, s, "shops").Shops[2]
	tests := []struct {
		name   string
		action string
		form   []string
		want   int
	}{
		{"all", "services", nil, len(rows)},
		{"products", "services", []string{"entityType", "product"}, count(func(r Row) bool { return r.EntityType == Product })},
		{"SMM", "services", []string{"entityType", "smm"}, count(func(r Row) bool { return r.EntityType == SMM })},
		{"category", "services", []string{"category", EmailAccounts}, count(func(r Row) bool { return r.Category == EmailAccounts })},
		{"subcategory", "services", []string{"subcategory", "Followers"}, count(func(r Row) bool { return r.Subcategory == "Followers" })},
		{"category and subcategory", "services", []string{"category", "TikTok", "subcategory", "Followers"}, count(func(r Row) bool { return r.Category == "TikTok" && r.Subcategory == "Followers" })},
		{"category and subcategory of another", "services", []string{"category", "TikTok", "subcategory", Gmail}, 0},
		{"products without SMM", "products", nil, count(func(r Row) bool { return r.EntityType == Product })},
		{"recommended", "products", []string{"isRecommended", "true"}, count(func(r Row) bool { return r.Recommended })},
		{"shop", "products", []string{"shopId", shop.ShopID}, shop.ProductCount},
		{"ids, comma-separated", "products", []string{"productIds", "2,507f1f77bcf86cd799439013, 999999"}, 2},
		{"ids, JSON", "products", []string{"productIds", `[2,"507f1f77bcf86cd799439013"]`}, 2},
		{"ids, repeated", "products", []string{"productIds", "2", "productIds", "3"}, 2},
		{"ids without SMM", "services", []string{"productIds", "1,2"}, 1},
		{"an empty subcategory", "services", []string{"subcategory", EmptySubcategory}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := read[page](t, s, tt.action, tt.form...)
			if len(got.Services)+len(got.Products) != tt.want || got.Total != tt.want || got.Page != tt.want || got.Limit != tt.want {
				t.Errorf("%d rows, total %d, page %d, limit %d; want %d", len(got.Services)+len(got.Products), got.Total, got.Page, got.Limit, tt.want)
			}
			one := read[page](t, s, tt.action, append(slices.Clone(tt.form), "limit", "1")...)
			if one.Total != tt.want || one.TotalPages != tt.want || one.Page != 1 || one.Limit != 1 {
				t.Errorf("limit 1: %+v, want total %d", one, tt.want)
			}
		})
	}
	var paged []int64
	for n := 1; n <= 4; n++ {
		paged = append(paged, servicesOf(read[page](t, s, "services", "limit", "100", "page", strconv.Itoa(n)).Services)...)
	}
	if want := servicesOf(read[page](t, s, "services").Services); !slices.Equal(paged, want) {
		t.Error("four pages of a hundred rows are not all rows in their order")
	}
}

func TestMoney(t *testing.T) {
	tests := []struct {
		amount string
		places int32
		want   string
	}{
		{"25", 2, "25.00"},
		{"0.5", 4, "0.5000"},
		{"0.0125", 2, "0.0125"},
		{"5.0000", 2, "5.00"},
		{"0.0120", 2, "0.012"},
		{"100.10", 2, "100.10"},
		{"-1.005", 2, "-1.005"},
		{"1000", 2, "1000.00"},
		{"0", 2, "0.00"},
	}
	for _, tt := range tests {
		if got := money(decimal.RequireFromString(tt.amount), tt.places); got != tt.want {
			t.Errorf("money(%s, %d) = %s, want %s", tt.amount, tt.places, got, tt.want)
		}
	}
}

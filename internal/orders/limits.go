package orders

import (
	"fmt"

	"hstockbot/internal/hstock"
	"hstockbot/storage"
)

// MaxRentals is how many phones can be rented at a time (HStockPlus: add_sms).
const MaxRentals = 10

// QuantityLimits are the quantities of an item that can be bought, in pieces. Max is
// 0 where nothing limits it here.
type QuantityLimits struct {
	Min, Max int64
	SoldOut  bool
}

// LimitError says that a quantity can't be bought.
type LimitError struct{ QuantityLimits }

func (e *LimitError) Error() string {
	if e.SoldOut {
		return "sold out"
	}
	return fmt.Sprintf("quantity must be between %d and %d", e.Min, e.Max)
}

// Allows returns nil if the quantity can be bought, otherwise a *LimitError.
func (l QuantityLimits) Allows(quantity int64) error {
	if l.SoldOut || quantity < l.Min || l.Max > 0 && quantity > l.Max {
		return &LimitError{l}
	}
	return nil
}

// LimitsOf returns the limits of an item. The live figures of the inventory come
// first; it has none for SMM services, for which those of the catalogue are used.
func LimitsOf(item hstock.Item, inventory hstock.Inventory) QuantityLimits {
	inventory.EntityType = item.EntityType
	limits := QuantityLimits{Min: max(item.Min, 1), Max: item.Max, SoldOut: inventory.SoldOut()}
	if inventory.Min > 0 {
		limits.Min = inventory.Min
	}
	if inventory.Max > 0 {
		limits.Max = inventory.Max
	}
	oneStock := kindOf(item) == storage.KindProduct && !inventory.StockUnknown && len(inventory.Subproducts) <= 1
	if oneStock && inventory.Stock > 0 && (limits.Max == 0 || inventory.Stock < limits.Max) {
		limits.Max = inventory.Stock
	}
	if limits.Max > 0 && limits.Max < limits.Min {
		limits.SoldOut = true // fewer are left than the smallest quantity
	}
	return limits
}

// rentalLimits returns the limits of rentals: a certain phone is rented only once.
func rentalLimits(rental storage.Rental) QuantityLimits {
	if rental.Phone != "" {
		return QuantityLimits{Min: 1, Max: 1}
	}
	return QuantityLimits{Min: 1, Max: MaxRentals}
}

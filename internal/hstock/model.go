package hstock

import (
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

// Category is a category with its subcategories, in the order and language of the
// answer (HStockPlus: categories). A name may be empty; it is kept, because lists
// in two languages can only be joined by position.
type Category struct {
	Name          string
	Subcategories []string
}

// SubcategoryInfo is a subcategory and its parent (HStockPlus: subcategory_info).
type SubcategoryInfo struct {
	ID, Name, Slug, ImageURL, Description  string
	CategoryID, CategoryName, CategorySlug string
}

// Seller is a seller with a masked name (HStockPlus: shops). Rating is in stars and
// valid only if HasRating is true.
type Seller struct {
	ID, Name  string
	Products  int64
	Rating    decimal.Decimal
	HasRating bool
}

// EntityType is the kind of an item, in the marketplace's spelling.
type EntityType string

// The two documented entity types.
const (
	EntityProduct EntityType = "product"
	EntitySMM     EntityType = "smm"
)

// Filter selects items in Services and Products. The zero value selects all.
// Category and Subcategory are English names in every Lang. Page counts from 1 and
// is sent only if Limit > 0. ProductIDs are at most MaxBatch service numbers or
// entity ids. Only Services sends EntityType, only Products sends Recommended.
type Filter struct {
	Page, Limit                   int
	Category, Subcategory, ShopID string
	EntityType                    EntityType
	ProductIDs                    []string
	Recommended                   bool
	Lang                          string
}

// Page is one page of items. If the answer omits them, Total is the number of items,
// Page and Limit are those of the request (without a limit, Total), and TotalPages
// is computed from these.
type Page struct {
	Items                          []Item
	Total, Page, Limit, TotalPages int
}

// Item is something on sale (HStockPlus: services, products). Service is the
// number that Add and Inventory take. Rate is in the account's currency; for a
// product it is the price of one piece. Min and Max are 0 if not given.
type Item struct {
	ID                    string
	Service               int64
	Name, Type, Category  string
	Rate                  decimal.Decimal
	Min, Max              int64
	Refill, Cancel        bool
	Stock                 int64
	EntityType            EntityType
	AutoDelivery          bool
	Description, ImageURL string
	Recommended           bool
	SubcategoryID         string
}

// Inventory is the live stock and price of a service (HStockPlus: inventory).
// For products Min and Max are those of the main subproduct; 0 if not given.
type Inventory struct {
	Service, Stock int64
	Available      bool
	Rate           decimal.Decimal
	Min, Max       int64
	EntityType     EntityType
	AutoDelivery   bool
	Subproducts    []Subproduct
}

// Subproduct is a variant of a product with its displayed stock.
type Subproduct struct {
	ID, Name string
	Stock    int64
}

// Balance is the balance of the key's account (HStockPlus: balance).
type Balance struct {
	Amount   decimal.Decimal
	Currency string
}

// Status is the status of an order (HStockPlus: status). RawStatus is the
// marketplace's text for State. Missing figures are nil or not Valid. Accounts are
// the credentials delivered so far, byte for byte.
type Status struct {
	State               OrderState
	RawStatus           string
	Charge              decimal.NullDecimal
	StartCount, Remains *int64
	Currency            string
	EntityType          EntityType
	AutoDelivery        *bool
	Accounts            []redact.Secret
}

// ReasonTooEarly is the CancelAllowance.Reason of an order that can be cancelled
// later (HStockPlus: allowcancel).
const ReasonTooEarly = "BEFORE_MIN_WAIT"

// CancelAllowance tells whether an order can be cancelled now (HStockPlus:
// allowcancel). Error, Reason and EligibleAfter are the marketplace's texts.
type CancelAllowance struct {
	Order                        int64
	Allowed                      bool
	Refund                       decimal.NullDecimal
	Error, Reason, EligibleAfter string
}

// Cancellation is the result for one order of a Cancel (HStockPlus: cancel). Error is
// the marketplace's message if Done is false; it may be empty.
type Cancellation struct {
	Order int64
	Done  bool
	Error string
}

// SMSProject is a website whose codes numbers of one country can receive
// (HStockPlus: sms_projects). Price is for one number.
type SMSProject struct {
	ID, Name                string
	Price                   decimal.Decimal
	CountryID, CountryTitle string
}

// SMSCountry is a country in which numbers are offered (HStockPlus: sms_countries).
type SMSCountry struct {
	Code, Name string
}

// SMSNumber is one rented number (HStockPlus: add_sms).
type SMSNumber struct {
	Order                     int64
	Phone, Country, RawStatus string
}

// SMSCode is the code that a number has received (HStockPlus: sms_code). Message is
// the marketplace's message while there is none.
type SMSCode struct {
	State         SMSState
	RawStatus     string
	Code, Content redact.Secret
	Message       string
}

// SMSStatus is the state of a rented number (HStockPlus: sms_status).
// ExpiresAt is zero if it is missing or unreadable.
type SMSStatus struct {
	State            SMSState
	RawStatus, Phone string
	Code             redact.Secret
	Charge           decimal.NullDecimal
	Currency         string
	ExpiresAt        time.Time
}

// AddRequest is one order. Link is required for SMM services and optional for
// products; an empty one is not sent.
type AddRequest struct {
	Service, Quantity int64
	Link              string
}

// AddSMSRequest rents numbers. Quantity is 1 to 10; 0 is not sent and means 1.
// Country and Phone (a number to rent again) may be empty.
type AddSMSRequest struct {
	ProjectID      string
	Quantity       int
	Country, Phone string
}

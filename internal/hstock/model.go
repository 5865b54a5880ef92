package hstock

import (
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

// Category is one category and its subcategories, in the order and language
// of the answer (HStockPlus: categories). A name may be empty: positions are
// kept, because they are all that joins two languages.
type Category struct {
	Name          string
	Subcategories []string
}

// SubcategoryInfo is a subcategory and its parent (HStockPlus: subcategory_info).
type SubcategoryInfo struct {
	ID, Name, Slug, ImageURL, Description  string
	CategoryID, CategoryName, CategorySlug string
}

// Seller is a seller with a masked name (HStockPlus: shops). Rating is in stars
// and means something only when HasRating is true.
type Seller struct {
	ID, Name  string
	Products  int64
	Rating    decimal.Decimal
	HasRating bool
}

// EntityType is what a item sells, as the marketplace spells it.
type EntityType string

// The two documented entity types.
const (
	EntityProduct EntityType = "product"
	EntitySMM     EntityType = "smm"
)

// Filter chooses items of Services and Products. The zero value means all of
// them. Category and Subcategory are the canonical English names, whatever
// Lang is. Page counts from 1 and is sent only when Limit > 0; ProductIDs holds at
// most 100 service numbers or entity ids. EntityType is read by Services only,
// Recommended by Products only.
type Filter struct {
	Page, Limit                   int
	Category, Subcategory, ShopID string
	EntityType                    EntityType
	ProductIDs                    []string
	Recommended                   bool
	Lang                          string
}

// Page is one page of items. Where the marketplace leaves them out, Total is the
// number of items, Page and Limit are those asked for (the total when all
// were), and TotalPages follows from them.
type Page struct {
	Items                          []Item
	Total, Page, Limit, TotalPages int
}

// Item is something on sale (HStockPlus: services, products). Service is the
// number that Add and Inventory take. Rate is in the account's currency: for
// a product, the price of one piece. Min and Max are 0 when not given.
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
// For products Min and Max are those of the main subproduct; 0 when not given.
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

// Balance is the money of the key's account (HStockPlus: balance).
type Balance struct {
	Amount   decimal.Decimal
	Currency string
}

// Status is what the marketplace says about an order (HStockPlus: status).
// Word is its own word for State. Missing figures are nil or not Valid.
// Accounts are the delivered credentials byte for byte, those so far when the
// delivery is partial.
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

// ReasonTooEarly is the reason of an order that can be cancelled later
// (HStockPlus: allowcancel).
const ReasonTooEarly = "BEFORE_MIN_WAIT"

// CancelAllowance says whether an order can be cancelled now (HStockPlus:
// allowcancel). Error, Reason (ReasonTooEarly is the documented one) and
// EligibleAfter are as they came.
type CancelAllowance struct {
	Order                        int64
	Allowed                      bool
	Refund                       decimal.NullDecimal
	Error, Reason, EligibleAfter string
}

// Cancellation is what became of one order of a Cancel (HStockPlus: cancel).
// Error is the marketplace's sentence when Done is false; it may be empty.
type Cancellation struct {
	Order int64
	Done  bool
	Error string
}

// SMSProject is a website that numbers can receive codes of, in one country
// (HStockPlus: sms_projects). Price is for one number.
type SMSProject struct {
	ID, Name                string
	Price                   decimal.Decimal
	CountryID, CountryTitle string
}

// SMSCountry is a country that numbers are offered in (HStockPlus: sms_countries).
type SMSCountry struct {
	Code, Name string
}

// SMSNumber is one rented number (HStockPlus: add_sms).
type SMSNumber struct {
	Order                     int64
	Phone, Country, RawStatus string
}

// SMSCode is the code received by a number so far (HStockPlus: sms_code).
// Message is the marketplace's own sentence while there is none.
type SMSCode struct {
	State         SMSState
	RawStatus     string
	Code, Content redact.Secret
	Message       string
}

// SMSStatus is the state of a rented number (HStockPlus: sms_status).
// ExpiresAt is zero when it is missing or unreadable.
type SMSStatus struct {
	State            SMSState
	RawStatus, Phone string
	Code             redact.Secret
	Charge           decimal.NullDecimal
	Currency         string
	ExpiresAt        time.Time
}

// AddRequest is one order. Link is required for SMM services and optional for
// products; empty is not sent.
type AddRequest struct {
	Service, Quantity int64
	Link              string
}

// AddSMSRequest rents numbers. Quantity is 1 to 10, 0 leaves it to the
// marketplace (1). Country and Phone (a number to reuse) may be empty.
type AddSMSRequest struct {
	ProjectID      string
	Quantity       int
	Country, Phone string
}

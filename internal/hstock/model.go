package hstock

import (
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

// Category is a category with its subcategories, in the order and language of the
// answer (HStockPlus: categories). A name may be empty; it is kept, because lists
// in two languages can only be joined by position. Names are byte for byte, because
// the marketplace takes them as filters: PlainName makes them fit to display.
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
// number that Add and Inventory take. Rate is in Currency, which is that of the key's
// account, or "" before Currency or Balance was called with the key; for a product it is the price of one piece. Min
// and Max are 0 if not given. Stock is 0 if StockUnknown.
type Item struct {
	ID                    string
	Service               int64
	Name, Type, Category  string
	Rate                  decimal.Decimal
	Currency              string
	Min, Max              int64
	Refill, Cancel        bool
	Stock                 int64
	StockUnknown          bool
	EntityType            EntityType
	AutoDelivery          bool
	Description, ImageURL string
	Recommended           bool
	SubcategoryID         string
}

// SoldOut reports whether the item is known to be out of stock.
func (i Item) SoldOut() bool { return !i.StockUnknown && i.Stock <= 0 }

// NeedsMoreThanLink reports whether an SMM service of this type needs more than a link
// and a quantity ("Custom Comments", "Poll"), which Add can't send. The item must be
// an English one, because the marketplace may translate Type.
func (i Item) NeedsMoreThanLink() bool {
	return i.EntityType == EntitySMM && strings.TrimSpace(i.Type) != "" && !strings.EqualFold(strings.TrimSpace(i.Type), "Default")
}

// Inventory is the live stock and price of a service (HStockPlus: inventory).
// For products Min and Max are those of the main subproduct; 0 if not given. Rate and
// Currency are like those of an Item. Stock is 0 if StockUnknown: then only Available
// tells whether there is some.
type Inventory struct {
	Service, Stock int64
	StockUnknown   bool
	Available      bool
	Rate           decimal.Decimal
	Currency       string
	Min, Max       int64
	EntityType     EntityType
	AutoDelivery   bool
	Subproducts    []Subproduct
}

// SoldOut reports whether nothing can be bought. A product that is known to have no
// stock has none, whatever Available says.
func (i Inventory) SoldOut() bool {
	return !i.Available || i.EntityType != EntitySMM && !i.StockUnknown && i.Stock <= 0
}

// Subproduct is a variant of a product with its displayed stock, 0 if StockUnknown.
type Subproduct struct {
	ID, Name     string
	Stock        int64
	StockUnknown bool
}

// Balance is the balance of the key's account (HStockPlus: balance).
type Balance struct {
	Amount   decimal.Decimal
	Currency string
}

// Status is the status of an order (HStockPlus: status). RawStatus is the
// marketplace's text for State. Missing figures are nil or not Valid; none is
// negative. Accounts are the credentials delivered so far, byte for byte; one that the
// marketplace sends as an object is JSON in one line, the same in each answer.
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
// allowcancel). Error, Reason and EligibleAfter are the marketplace's texts;
// EligibleAfter is in RFC 3339 if it is a time. AnsweredAt is the Date of the answer, in
// whole seconds; zero if it has none.
type CancelAllowance struct {
	Order                        string
	Allowed                      bool
	Refund                       decimal.NullDecimal
	Error, Reason, EligibleAfter string
	AnsweredAt                   time.Time
}

// Cancellation is the result for one order of a Cancel (HStockPlus: cancel). Error is
// the marketplace's message if Done is false; it may be empty.
type Cancellation struct {
	Order string
	Done  bool
	Error string
}

// SMSProject is a website whose codes numbers of one country can receive
// (HStockPlus: sms_projects). Price is for one number, in Currency, which is like that
// of an Item.
type SMSProject struct {
	ID, Name                string
	Price                   decimal.Decimal
	Currency                string
	CountryID, CountryTitle string
}

// SMSCountry is a country in which numbers are offered (HStockPlus: sms_countries).
type SMSCountry struct {
	Code, Name string
}

// SMSNumber is one rented number (HStockPlus: add_sms).
type SMSNumber struct {
	Order                     string
	Phone, Country, RawStatus string
}

// SMS is a message that a number has received. Code is empty if the marketplace found
// none in it, Content if it gives the code only.
type SMS struct{ Code, Content redact.Secret }

// SMSCode is what a number has received (HStockPlus: sms_code). Code and Content are
// the last SMS of the answer, Earlier those before it, in their order. Message is the
// marketplace's message while there is none.
type SMSCode struct {
	State         SMSState
	RawStatus     string
	Code, Content redact.Secret
	Earlier       []SMS
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
	SendBefore        time.Time // by the wall clock; zero for no limit
}

// AddSMSRequest rents numbers. Quantity is 1 to 10; 0 is not sent and means 1.
// Country and Phone (a number to rent again) may be empty.
type AddSMSRequest struct {
	ProjectID      string
	Quantity       int
	Country, Phone string
	SendBefore     time.Time // as in AddRequest
}

package locales

// numberRule says how a language writes numbers and dollars. The digits are 0 to 9 and the
// decimal mark is a point in every language, as HStockPlus writes them.
type numberRule struct {
	thousands string // between the groups of a count, from 1000 on
	indian    bool   // above a thousand, groups have two digits: 12,34,567
	dollar    string // before an amount in USD
}

// noBreakSpace separates thousands where a point would do so by custom: beside "$1.125",
// "1.000" would be read as one.
const noBreakSpace = "\u00a0"

// numberRules are the rules by language. "$" alone is the peso in Latin America.
var numberRules = map[string]numberRule{
	"ar":    {thousands: ",", dollar: "$"},
	"bn-BD": {thousands: ",", dollar: "$", indian: true},
	"de":    {thousands: noBreakSpace, dollar: "$"},
	"en":    {thousands: ",", dollar: "$"},
	"es":    {thousands: noBreakSpace, dollar: "US$"},
	"fr":    {thousands: noBreakSpace, dollar: "$"},
	"hi":    {thousands: ",", dollar: "$", indian: true},
	"ja":    {thousands: ",", dollar: "$"},
	"ko":    {thousands: ",", dollar: "$"},
	"pt":    {thousands: noBreakSpace, dollar: "$"},
	"pt-BR": {thousands: noBreakSpace, dollar: "US$"},
	"ru":    {thousands: noBreakSpace, dollar: "$"},
	"ur":    {thousands: ",", dollar: "$"},
	"vi":    {thousands: noBreakSpace, dollar: "$"},
	"zh":    {thousands: ",", dollar: "$"},
}

package market

// Services of the fixed rows: with every seed they have the price, limits and
// stock given here (data/goods_*.toml). Rows marked "auto" are delivered after
// Options.DeliverAfter, those "by hand" only by Deliver and Finish.
const (
	InstagramFollowers int64 = 1  // SMM, $0.50 per 1000, 100–10000, refill; byte for byte the row in the document
	GmailUSA           int64 = 2  // $1.25, 1–50, stock 50, auto, recommended; the row in the document except for its price of 25.00
	OutlookByHand      int64 = 3  // $0.80, 1–20, stock 120, by hand
	NetflixVariants    int64 = 4  // auto; 1 Month $3.50 stock 42 (main), 3 Months $9.00 stock 60, 12 Months $29.90 stock 0
	SoldOut            int64 = 5  // $2.40, 1–10, stock 0, auto
	LongName           int64 = 6  // $4.75, 1–10, stock 15, auto; a name of more than 200 characters
	MarkupName         int64 = 7  // $2.00, 1–10, stock 30, auto; <b>, &, quotes and emoji in name and description
	HugeStock          int64 = 8  // $0.05, 1–10000, stock 100000, auto
	LongGoods          int64 = 9  // $1.90, 1–25, stock 200, auto; each account has more than 300 characters (cookies)
	RightToLeftName    int64 = 10 // $0.99, 1–10, stock 40, auto; Arabic, Hebrew and a single U+202E in the name
	AwkwardGoods       int64 = 11 // $0.60, 1–40, stock 200, auto; every password has &, <, > and a space
	PreciseRate        int64 = 12 // $0.0125, 1–5000, stock 5000, auto
	MinimumTen         int64 = 13 // $0.30, 10–100, stock 300, auto
	OneLeft            int64 = 14 // $12.00, 1–5, stock 1, auto
	Expensive          int64 = 15 // $499.00, 1–3, stock 3, by hand
	TelegramMembers    int64 = 16 // SMM, $1.20 per 1000, 10–50000, cancellable
	YouTubeViews       int64 = 17 // SMM, $0.90 per 1000, 500–1000000, by hand
	TikTokLikes        int64 = 18 // SMM, $0.0360 per 1000, 50–200000, refill, cancellable
	ChatGPTPlus        int64 = 19 // $6.50, 1–5, stock 24, by hand, recommended
	SteamCard          int64 = 20 // $9.60, 1–20, stock 80, auto, recommended; codes instead of accounts
	SpotifySecond      int64 = 21 // auto; its main variant is sold out: 1 Month $1.10 stock 0, 6 Months $5.40 stock 8
	Plain              int64 = 22 // $0.40, 1–100, stock 500, auto; neither description nor picture
)

// English names of categories and subcategories, as the filters take them.
const (
	EmailAccounts    = "Email Accounts" // "Accounts-Email" in its rows
	Gmail            = "Gmail"
	EmptyCategory    = "Seasonal Offers" // without subcategories and without goods
	EmptySubcategory = "Mobile Top-Up"   // of Gift Cards, without goods
)

// Countries and projects of rented numbers that are the same with every seed.
const (
	CountryUS              = "us"  // has every project
	CountryUnknown         = "any" // "Any country", not an ISO code
	CountryWithoutProjects = "is"  // Iceland: sms_projects is empty

	ProjectOpenAI     = "65f0a1b2c3d4e5f600000001" // "OpenAI / ChatGPT", $0.5000 in the US, 200 numbers there
	ProjectTelegram   = "65f0a1b2c3d4e5f600000002" // "Telegram", $0.9000 in the US, 200 numbers there
	ProjectTwoNumbers = "65f0a1b2c3d4e5f600000003" // "Signal", $0.4500 in the US, two numbers left there
	ProjectNoNumbers  = "65f0a1b2c3d4e5f600000004" // "Bumble", $0.3500 in the US, none left there
)

package keyboards

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"hstockbot/internal/route"
)

// pinned is a route with its callback data for some arguments.
type pinned struct {
	data     string
	check    func(t *testing.T)
	route    string
	reencode func(rest string) (string, error) // decodes other data of the route, and encodes it again
}

func pin[A comparable](r route.Route[A], args A, data string) pinned {
	check := func(t *testing.T) {
		if got := r.Data(args); got != data {
			t.Errorf("the data of %+v is %q, want %q", args, got, data)
		}
		name, rest := route.Split(data)
		if got, err := r.Parse(rest); name != r.Name() || err != nil || got != args {
			t.Errorf("%q is parsed as %+v, %v; want %+v", data, got, err, args)
		}
	}
	return pinned{data, check, r.Name(), func(rest string) (string, error) {
		args, err := r.Parse(rest)
		return r.Data(args), err
	}}
}

// pinnedRoutes are all routes, some with several arguments.
var pinnedRoutes = []pinned{
	pin(Admin, struct{}{}, "A"),
	pin(Greetings, struct{}{}, "Ag"),
	pin(GreetingShow, LanguageArgs{Lang: "Ab3_-xyz"}, "Agl:Ab3_-xyz"),
	pin(GreetingText, LanguageArgs{Lang: "Ab3_-xyz"}, "Agt:Ab3_-xyz"),
	pin(GreetingLinks, LanguageArgs{Lang: "Ab3_-xyz"}, "Agk:Ab3_-xyz"),
	pin(GreetingPreview, LanguageArgs{Lang: "Ab3_-xyz"}, "Agp:Ab3_-xyz"),
	pin(GreetingTextRemove, LanguageArgs{Lang: "Ab3_-xyz"}, "Agx:Ab3_-xyz"),
	pin(GreetingLinksRemove, LanguageArgs{Lang: "Ab3_-xyz"}, "Agy:Ab3_-xyz"),
	pin(AdminLog, PageArgs{Page: 65535}, "Al:1ekf"),
	pin(AdminOrders, AdminOrdersArgs{Filter: 3, Person: -1234567, Category: "Ab3_-xyz", Day: 65532, Page: 65531}, "Aol:3.-qglj.Ab3_-xyz.1ekc.1ekb"),
	pin(AdminOrders, AdminOrdersArgs{}, "Aol:0.0..0.0"),
	pin(AdminOrdersPerson, AdminOrdersArgs{Filter: 3, Person: -1234567, Category: "Ab3_-xyz", Day: 65532, Page: 65531}, "Aop:3.-qglj.Ab3_-xyz.1ekc.1ekb"),
	pin(AdminOrdersCategories, AdminOrdersSublistArgs{AdminOrdersArgs: AdminOrdersArgs{Filter: 3, Person: -1234567, Category: "Ab3_-xyz", Day: 65532, Page: 65531}, Subpage: 65530}, "Aoc:3.-qglj.Ab3_-xyz.1ekc.1ekb.1eka"),
	pin(AdminOrdersCategories, AdminOrdersSublistArgs{}, "Aoc:0.0..0.0.0"),
	pin(AdminOrdersDays, AdminOrdersArgs{Filter: 3, Person: -1234567, Category: "Ab3_-xyz", Day: 65532, Page: 65531}, "Aod:3.-qglj.Ab3_-xyz.1ekc.1ekb"),
	pin(AdminOrdersTotals, AdminOrdersSublistArgs{AdminOrdersArgs: AdminOrdersArgs{Filter: 3, Person: -1234567, Category: "Ab3_-xyz", Day: 65532, Page: 65531}, Subpage: 65530}, "Aot:3.-qglj.Ab3_-xyz.1ekc.1ekb.1eka"),
	pin(AdminOrdersPicture, AdminOrdersArgs{Filter: 3, Person: -1234567, Category: "Ab3_-xyz", Day: 65532, Page: 65531}, "Aog:3.-qglj.Ab3_-xyz.1ekc.1ekb"),
	pin(AdminOrdersExport, AdminOrdersArgs{Filter: 3, Person: -1234567, Category: "Ab3_-xyz", Day: 65532, Page: 65531}, "Aox:3.-qglj.Ab3_-xyz.1ekc.1ekb"),
	pin(AdminUnresolvedList, AdminOrdersSublistArgs{AdminOrdersArgs: AdminOrdersArgs{Filter: 3, Person: -1234567, Category: "Ab3_-xyz", Day: 65532, Page: 65531}, Subpage: 65530}, "Aou:3.-qglj.Ab3_-xyz.1ekc.1ekb.1eka"),
	pin(AdminUnresolved, AdminUnresolvedArgs{Purchase: 9007199254740991, AdminOrdersArgs: AdminOrdersArgs{Filter: 4, Person: 23501, Category: "Zz9aQ0b1", Day: 65531, Page: 65530}, ListPage: 65529}, "Aow:2gosa7pa2gv.4.i4t.Zz9aQ0b1.1ekb.1eka.1ek9"),
	pin(AdminUnresolved, AdminUnresolvedArgs{}, "Aow:0.0.0..0.0.0"),
	pin(AdminOrder, AdminOrderArgs{Order: 9007199254740991, AdminOrdersArgs: AdminOrdersArgs{Filter: 4, Person: 23501, Category: "Zz9aQ0b1", Day: 65531, Page: 65530}}, "Aoo:2gosa7pa2gv.4.i4t.Zz9aQ0b1.1ekb.1eka"),
	pin(AdminOrder, AdminOrderArgs{}, "Aoo:0.0.0..0.0"),
	pin(Balance, BalanceArgs{Refresh: true}, "b:1"),
	pin(Spending, struct{}{}, "bs"),
	pin(BalanceThreshold, struct{}{}, "Awb"),
	pin(BalanceThresholdRemove, struct{}{}, "Awo"),
	pin(Channel, struct{}{}, "Ac"),
	pin(ChannelChoose, struct{}{}, "Ace"),
	pin(ChannelUnbind, struct{}{}, "Acu"),
	pin(ChannelUnbindSure, struct{}{}, "Acx"),
	pin(ChannelRestocks, SwitchArgs{On: true}, "Acr:1"),
	pin(ChannelDrops, struct{}{}, "Acd"),
	pin(ChannelDrop, ChannelDropArgs{Percent: 90}, "Acp:2i"),
	pin(ChannelCategories, PageArgs{Page: 65531}, "Acn:1ekb"),
	pin(ChannelCategory, ChannelCategoryArgs{Category: "Ab3_-xyz", On: true, Page: 65531}, "Acc:Ab3_-xyz.1.1ekb"),
	pin(ChannelCategory, ChannelCategoryArgs{}, "Acc:.0.0"),
	pin(ChannelAllCategories, ChannelCategoriesArgs{On: true, Page: 65531}, "Aca:1.1ekb"),
	pin(Broadcasts, struct{}{}, "Ab"),
	pin(BroadcastWrite, struct{}{}, "Abw"),
	pin(BroadcastText, LanguageArgs{Lang: "Ab3_-xyz"}, "Abt:Ab3_-xyz"),
	pin(BroadcastRemove, LanguageArgs{Lang: "Ab3_-xyz"}, "Abr:Ab3_-xyz"),
	pin(BroadcastPreview, struct{}{}, "Abp"),
	pin(BroadcastSend, BroadcastSendArgs{ID: 9007199254740991, Revision: -1234567}, "Abs:2gosa7pa2gv.-qglj"),
	pin(BroadcastSend, BroadcastSendArgs{}, "Abs:0.0"),
	pin(BroadcastDiscard, struct{}{}, "Abx"),
	pin(BroadcastShow, BroadcastArgs{ID: 9007199254740991}, "Abo:2gosa7pa2gv"),
	pin(BroadcastStop, BroadcastArgs{ID: 9007199254740991}, "Abk:2gosa7pa2gv"),
	pin(News, NewsArgs{Group: NewsNew, Page: 65531}, "wn:2.1ekb"),
	pin(OrderCancel, CancelArgs{Order: 9007199254740991, Listed: true, Filter: 3, Page: 65532}, "ox:2gosa7pa2gv.1.3.1ekc"),
	pin(OrderCancel, CancelArgs{}, "ox:0.0.0.0"),
	pin(OrderCancelSure, CancelArgs{Order: 9007199254740991, Listed: true, Filter: 3, Page: 65532}, "oy:2gosa7pa2gv.1.3.1ekc"),
	pin(OrderRemind, CancelArgs{Order: 9007199254740991, Listed: true, Filter: 3, Page: 65532}, "oz:2gosa7pa2gv.1.3.1ekc"),
	pin(CancelAll, struct{}{}, "xa"),
	pin(CancelAllSure, CancelAllArgs{Orders: "Ab3_-xyz"}, "xs:Ab3_-xyz"),
	pin(Catalog, PageArgs{Page: 65535}, "c:1ekf"),
	pin(Category, CategoryArgs{Category: "Ab3_-xyz", Page: 65534}, "cc:Ab3_-xyz.1eke"),
	pin(Category, CategoryArgs{}, "cc:.0"),
	pin(Shelf, ShelfArgs{Path: "Ab3_-xyz", Page: 65534}, "s:Ab3_-xyz.1eke"),
	pin(Shelf, ShelfArgs{}, "s:.0"),
	pin(SortedShelf, SortedShelfArgs{ShelfArgs{Path: "Ab3_-xyz", Page: 65534}, SoldOutHidden}, "ss:Ab3_-xyz.1eke.2"),
	pin(Product, ProductArgs{Service: 8, ProductList: SortedShelfArgs{ShelfArgs{Path: "Ab3_-xyz", Page: 5}, CheapestFirst}.List()}, "p:8.6.Ab3_-xyz.0.5"),
	pin(Confirm, PurchaseArgs{Purchase: 9007199254740991}, "ok:2gosa7pa2gv"),
	pin(Discard, PurchaseArgs{Purchase: 9007199254740991}, "no:2gosa7pa2gv"),
	pin(NewCard, PurchaseArgs{Purchase: 9007199254740991}, "ag:2gosa7pa2gv"),
	pin(OrderAgain, PurchaseArgs{Purchase: 9007199254740991}, "oa:2gosa7pa2gv"),
	pin(OpenPurchase, PurchaseArgs{Purchase: 9007199254740991}, "op:2gosa7pa2gv"),
	pin(Help, struct{}{}, "h"),
	pin(ExternalFind, ExternalArgs{ExternalID: 9007199254740991}, "ef:2gosa7pa2gv"),
	pin(ExternalImport, ExternalArgs{ExternalID: 9007199254740991}, "et:2gosa7pa2gv"),
	pin(Key, struct{}{}, "k"),
	pin(KeyReplace, struct{}{}, "kr"),
	pin(KeyRemove, struct{}{}, "kx"),
	pin(KeyRemoveSure, struct{}{}, "ky"),
	pin(KeyEmail, KeyEmailArgs{Keep: true}, "ke:1"),
	pin(NoOp, struct{}{}, "n"),
	pin(Language, struct{}{}, "g"),
	pin(SetLanguage, LanguageArgs{Lang: "Ab3_-xyz"}, "gs:Ab3_-xyz"),
	pin(Linked, LinkedArgs{Link: 9007199254740991, Page: 65534}, "lk:2gosa7pa2gv.1eke"),
	pin(Linked, LinkedArgs{}, "lk:0.0"),
	pin(LinkedService, LinkedServiceArgs{Link: 9007199254740991, Service: -1234567, Page: 65533}, "lp:2gosa7pa2gv.-qglj.1ekd"),
	pin(LinkedService, LinkedServiceArgs{}, "lp:0.0.0"),
	pin(LinkedAmount, LinkedServiceArgs{Link: 9007199254740991, Service: -1234567, Page: 65533}, "la:2gosa7pa2gv.-qglj.1ekd"),
	pin(LinkedQuantity, LinkedQuantityArgs{LinkedServiceArgs: LinkedServiceArgs{Link: 9007199254740991, Service: -1234567, Page: 65533}, Quantity: 7}, "lq:2gosa7pa2gv.-qglj.1ekd.7"),
	pin(LinkedQuantity, LinkedQuantityArgs{}, "lq:0.0.0.0"),
	pin(Maintenance, struct{}{}, "Am"),
	pin(Restored, RestoredArgs{At: 1 << 52}, "Ar:18ce53un18g"),
	pin(MaintenanceSwitch, SwitchArgs{On: true}, "Ams:1"),
	pin(MaintenanceText, struct{}{}, "Amt"),
	pin(MaintenanceDefaultText, struct{}{}, "Amo"),
	pin(Menu, struct{}{}, "m"),
	pin(OrdersExport, struct{}{}, "xe"),
	pin(MyData, struct{}{}, "yd"),
	pin(Forget, struct{}{}, "yf"),
	pin(ForgetAsk, struct{}{}, "ya"),
	pin(ForgetSure, ForgetArgs{Summary: "Ab3_-xyz"}, "ys:Ab3_-xyz"),
	pin(Orders, OrdersArgs{Filter: 3, Page: 65534, AsNewMessage: true}, "l:3.1eke.1"),
	pin(Orders, OrdersArgs{}, "l:0.0.0"),
	pin(Order, OrderViewArgs{Order: 9007199254740991, Filter: 4, Page: 65533}, "o:2gosa7pa2gv.4.1ekd"),
	pin(Order, OrderViewArgs{}, "o:0.0.0"),
	pin(OrderRefresh, OrderViewArgs{Order: 9007199254740991, Filter: 4, Page: 65533}, "or:2gosa7pa2gv.4.1ekd"),
	pin(CardRefresh, OrderRef{Order: 9007199254740991}, "cr:2gosa7pa2gv"),
	pin(OrderAccounts, OrderRef{Order: 9007199254740991}, "oc:2gosa7pa2gv"),
	pin(AccountCode, AccountArgs{Order: 9007199254740991, Position: 65532}, "of:2gosa7pa2gv.1ekc"),
	pin(AccountCodeRefresh, AccountArgs{Order: 9007199254740991, Position: 65532}, "og:2gosa7pa2gv.1ekc"),
	pin(FeedbackWorks, FeedbackArgs{Order: 9007199254740991, Place: FeedbackOnOrder, Filter: 4, Page: 65533}, "vw:2gosa7pa2gv.1.4.1ekd"),
	pin(FeedbackOff, FeedbackOffArgs{Order: 9007199254740991, Off: true}, "vo:2gosa7pa2gv.1"),
	pin(ClaimProblem, OrderRef{Order: 9007199254740991}, "vb:2gosa7pa2gv"),
	pin(ClaimAccounts, ClaimArgs{Order: 9007199254740991, Problem: 3, Chosen: 1<<ClaimButtons - 1}, "vp:2gosa7pa2gv.3.mh33"),
	pin(Claim, ClaimArgs{Order: 9007199254740991, Problem: 4, Chosen: 5}, "vr:2gosa7pa2gv.4.5"),
	pin(OrderProblem, OrderRef{Order: 9007199254740991}, "ow:2gosa7pa2gv"),
	pin(KeyPays, KeyPaysArgs{Allowance: true}, "kp:1"),
	pin(Allowance, PersonArgs{Person: 9007199254740991}, "Aa:2gosa7pa2gv"),
	pin(AllowanceAmount, AllowanceArgs{Person: 9007199254740991, Amount: 10_000_000_000_000, Monthly: true, Markup: 10000}, "Aag:2gosa7pa2gv.3jlxpt2ps.1.7ps"),
	pin(AllowanceMarkup, AllowanceArgs{Person: 7, Amount: 200000}, "Aam:7.4abk.0.0"),
	pin(AllowanceTerms, AllowanceArgs{Person: 7, Amount: 200000}, "Aat:7.4abk.0.0"),
	pin(AllowanceGive, AllowanceArgs{}, "Aay:0.0.0.0"),
	pin(AllowanceRemove, PersonArgs{Person: 7}, "Aax:7"),
	pin(AllowanceRemoveSure, PersonArgs{Person: 7}, "Aaz:7"),
	pin(AllowanceChoose, struct{}{}, "Aac"),
	pin(AllowanceLinks, struct{}{}, "Aal"),
	pin(AllowanceRevoke, AllowanceLinkArgs{Link: 9007199254740991}, "Aav:2gosa7pa2gv"),
	pin(Ledger, PageArgs{Page: 65535}, "Ae:1ekf"),
	pin(LedgerDays, PageArgs{Page: 65535}, "Aed:1ekf"),
	pin(LedgerPerson, LedgerPersonArgs{Person: 9007199254740991, Page: 65535, ListPage: 65534}, "Aep:2gosa7pa2gv.1ekf.1eke"),
	pin(LedgerExport, struct{}{}, "Aex"),
	pin(HouseAdopt, AdminPurchaseArgs{Purchase: 9007199254740991}, "Aoh:2gosa7pa2gv"),
	pin(HouseAdoptSure, AdoptArgs{Purchase: 9007199254740991, ExternalID: 7}, "Aoy:2gosa7pa2gv.7"),
	pin(HouseDismiss, AdminPurchaseArgs{Purchase: 9007199254740991}, "Aoq:2gosa7pa2gv"),
	pin(HouseDismissSure, AdminPurchaseArgs{Purchase: 9007199254740991}, "Aoz:2gosa7pa2gv"),
	pin(PersonFind, struct{}{}, "Apf"),
	pin(Person, PersonArgs{Person: 9007199254740991}, "Ap:2gosa7pa2gv"),
	pin(PersonWrite, PersonArgs{Person: 9007199254740991}, "Apw:2gosa7pa2gv"),
	pin(LetterSend, LetterArgs{Letter: 9007199254740991}, "Aps:2gosa7pa2gv"),
	pin(PersonBlock, PersonArgs{Person: 9007199254740991}, "Apb:2gosa7pa2gv"),
	pin(PersonBlockSure, PersonArgs{Person: 9007199254740991}, "Apy:2gosa7pa2gv"),
	pin(PersonUnblock, PersonArgs{Person: 9007199254740991}, "Apu:2gosa7pa2gv"),
	pin(PhoneShow, OrderRef{Order: 9007199254740991}, "ns:2gosa7pa2gv"),
	pin(PhoneCheck, OrderRef{Order: 9007199254740991}, "nr:2gosa7pa2gv"),
	pin(PhoneAgain, OrderRef{Order: 9007199254740991}, "na:2gosa7pa2gv"),
	pin(PhoneAnother, OrderRef{Order: 9007199254740991}, "nm:2gosa7pa2gv"),
	pin(PhoneCode, OrderRef{Order: 9007199254740991}, "nc:2gosa7pa2gv"),
	pin(PhoneSwap, OrderRef{Order: 9007199254740991}, "nw:2gosa7pa2gv"),
	pin(SwapSure, PurchaseArgs{Purchase: 9007199254740991}, "nx:2gosa7pa2gv"),
	pin(SwapOff, PurchaseArgs{Purchase: 9007199254740991}, "ny:2gosa7pa2gv"),
	pin(Product, ProductArgs{Service: 9007199254740991, ProductList: ProductList{From: 4, Hash: "Ab3_-xyz", Search: 7, Page: 65531}}, "p:2gosa7pa2gv.4.Ab3_-xyz.7.1ekb"),
	pin(Product, ProductArgs{}, "p:0.0..0.0"),
	pin(ProductRefresh, ProductArgs{Service: 9007199254740991, ProductList: ProductList{From: 4, Hash: "Ab3_-xyz", Search: 7, Page: 65531}}, "pr:2gosa7pa2gv.4.Ab3_-xyz.7.1ekb"),
	pin(OtherAmount, ProductArgs{Service: 9007199254740991, ProductList: ProductList{From: 4, Hash: "Ab3_-xyz", Search: 7, Page: 65531}}, "pa:2gosa7pa2gv.4.Ab3_-xyz.7.1ekb"),
	pin(Quantity, QuantityArgs{Service: 9007199254740991, Quantity: -1234567, ProductList: ProductList{From: 3, Hash: "Zz9aQ0b1", Search: 88, Page: 65530}}, "q:2gosa7pa2gv.-qglj.3.Zz9aQ0b1.2g.1eka"),
	pin(Quantity, QuantityArgs{}, "q:0.0.0..0.0"),
	pin(TopUpWait, PurchaseArgs{Purchase: 7}, "fw:7"),
	pin(TopUpStop, PurchaseArgs{Purchase: 7}, "fx:7"),
	pin(BalanceWarn, struct{}{}, "bw"),
	pin(BalanceWarnOff, struct{}{}, "bo"),
	pin(LastEmail, QuantityArgs{Service: 8, Quantity: 2}, "ql:8.2.0..0.0"),
	pin(SkipEmail, QuantityArgs{Service: 9007199254740991, Quantity: -1234567, ProductList: ProductList{From: 3, Hash: "Zz9aQ0b1", Search: 88, Page: 65530}}, "qs:2gosa7pa2gv.-qglj.3.Zz9aQ0b1.2g.1eka"),
	pin(Saved, SavedArgs{Page: 65535, Removing: true}, "fa:1ekf.1"),
	pin(Saved, SavedArgs{}, "fa:0.0"),
	pin(SavedRemove, SavedRemoveArgs{Service: 9007199254740991, Page: 65534}, "fr:2gosa7pa2gv.1eke"),
	pin(SavedRemove, SavedRemoveArgs{}, "fr:0.0"),
	pin(Save, ProductArgs{Service: 9007199254740991, ProductList: ProductList{From: 4, Hash: "Ab3_-xyz", Search: 7, Page: 65531}}, "fs:2gosa7pa2gv.4.Ab3_-xyz.7.1ekb"),
	pin(Unsave, ProductArgs{Service: 9007199254740991, ProductList: ProductList{From: 4, Hash: "Ab3_-xyz", Search: 7, Page: 65531}}, "fu:2gosa7pa2gv.4.Ab3_-xyz.7.1ekb"),
	pin(WatchRestock, ProductArgs{Service: 9007199254740991, ProductList: ProductList{From: 4, Hash: "Ab3_-xyz", Search: 7, Page: 65531}}, "wb:2gosa7pa2gv.4.Ab3_-xyz.7.1ekb"),
	pin(WatchRestockOff, ProductArgs{Service: 9007199254740991, ProductList: ProductList{From: 4, Hash: "Ab3_-xyz", Search: 7, Page: 65531}}, "wx:2gosa7pa2gv.4.Ab3_-xyz.7.1ekb"),
	pin(WatchPrice, ProductArgs{Service: 9007199254740991, ProductList: ProductList{From: 4, Hash: "Ab3_-xyz", Search: 7, Page: 65531}}, "wp:2gosa7pa2gv.4.Ab3_-xyz.7.1ekb"),
	pin(WatchPriceOff, ProductArgs{Service: 9007199254740991, ProductList: ProductList{From: 4, Hash: "Ab3_-xyz", Search: 7, Page: 65531}}, "wo:2gosa7pa2gv.4.Ab3_-xyz.7.1ekb"),
	pin(Basket, struct{}{}, "vk"),
	pin(BasketAdd, PurchaseArgs{Purchase: 9007199254740991}, "va:2gosa7pa2gv"),
	pin(BasketProduct, ProductArgs{Service: 9007199254740991, ProductList: ProductList{From: FromSearch, Search: 9007199254740990, Page: 65535}}, "vg:2gosa7pa2gv.1..2gosa7pa2gu.1ekf"),
	pin(BasketQuantity, QuantityArgs{Service: 9007199254740991, Quantity: 1000, ProductList: ProductList{From: FromSearch, Search: 9007199254740990, Page: 65535}}, "vq:2gosa7pa2gv.rs.1..2gosa7pa2gu.1ekf"),
	pin(BasketConfirm, BasketRevisionArgs{Basket: 9007199254740991, Revision: 35}, "vc:2gosa7pa2gv.z"),
	pin(BasketStop, BasketArgs{Basket: 9007199254740991}, "vs:2gosa7pa2gv"),
	pin(BasketChange, PageArgs{Page: 65531}, "ve:1ekb"),
	pin(BasketRemove, BasketLineArgs{Basket: 9007199254740991, Line: 9007199254740990, Page: 3}, "vm:2gosa7pa2gv.2gosa7pa2gu.3"),
	pin(BasketEmpty, BasketArgs{Basket: 9007199254740991}, "vx:2gosa7pa2gv"),
	pin(BasketSave, struct{}{}, "vn"),
	pin(BasketSet, BasketSetArgs{Set: 9007199254740991, Link: 9007199254740990}, "vu:2gosa7pa2gv.2gosa7pa2gu"),
	pin(BasketSetRemove, BasketSetArgs{Set: 9007199254740991}, "vd:2gosa7pa2gv.0"),
	pin(Watches, PageArgs{Page: 65531}, "wl:1ekb"),
	pin(Product, ProductArgs{Service: 8, ProductList: ProductList{From: FromWatches}}, "p:8.5..0.0"),
	pin(Search, struct{}{}, "se"),
	pin(Found, FoundArgs{Search: 9007199254740991, Page: 65534}, "sr:2gosa7pa2gv.1eke"),
	pin(Found, FoundArgs{}, "sr:0.0"),
	pin(Recommended, PageArgs{Page: 65535}, "re:1ekf"),
	pin(Sellers, PageArgs{Page: 65535}, "sh:1ekf"),
	pin(SellerGoods, SellerArgs{Seller: "Ab3_-xyz", Page: 65534}, "sw:Ab3_-xyz.1eke"),
	pin(SellerGoods, SellerArgs{}, "sw:.0"),
	pin(SMSApps, SMSAppsArgs{Search: 9007199254740991, Page: 65534}, "sa:2gosa7pa2gv.1eke"),
	pin(SMSApps, SMSAppsArgs{}, "sa:0.0"),
	pin(SMSFindApp, struct{}{}, "sb"),
	pin(SMSApp, SMSAppArgs{App: "Ab3_-xyz", Search: -1234567, Page: 65533, BySuccess: true}, "sd:Ab3_-xyz.-qglj.1ekd.1"),
	pin(SMSApp, SMSAppArgs{}, "sd:.0.0.0"),
	pin(SMSOffer, SMSOfferArgs{Country: "Ab3_-xyz", Project: "Zz9aQ0b1", Search: 23501, From: FromSavedNumbers}, "so:Ab3_-xyz.Zz9aQ0b1.i4t.2"),
	pin(SMSOffer, SMSOfferArgs{}, "so:..0.0"),
	pin(SMSOfferQuantity, SMSOfferQuantityArgs{SMSOfferArgs: SMSOfferArgs{Country: "Ab3_-xyz", Project: "Zz9aQ0b1", Search: 23501, From: FromSuccess}, Quantity: 10}, "st:Ab3_-xyz.Zz9aQ0b1.i4t.1.a"),
	pin(SMSSave, SMSOfferArgs{Country: "Ab3_-xyz", Project: "Zz9aQ0b1"}, "sv:Ab3_-xyz.Zz9aQ0b1.0.0"),
	pin(SMSUnsave, SMSOfferArgs{Country: "Ab3_-xyz", Project: "Zz9aQ0b1"}, "su:Ab3_-xyz.Zz9aQ0b1.0.0"),
	pin(SMSCountries, SMSCountriesArgs{Search: 9007199254740991, Page: 65534}, "sc:2gosa7pa2gv.1eke"),
	pin(SMSCountries, SMSCountriesArgs{}, "sc:0.0"),
	pin(SMSFindCountry, struct{}{}, "sf"),
	pin(SMSProjects, SMSProjectsArgs{Country: "Ab3_-xyz", Search: -1234567, Page: 65533, CountrySearch: 7}, "sp:Ab3_-xyz.-qglj.1ekd.7"),
	pin(SMSProjects, SMSProjectsArgs{}, "sp:.0.0.0"),
	pin(SMSFindProject, SMSFindArgs{Country: "Ab3_-xyz", CountrySearch: -1234567}, "sg:Ab3_-xyz.-qglj"),
	pin(SMSFindProject, SMSFindArgs{}, "sg:.0"),
	pin(SMSProject, SMSProjectArgs{Country: "Ab3_-xyz", Project: "Zz9aQ0b1", Search: 23501, Page: 65532, CountrySearch: 88}, "sq:Ab3_-xyz.Zz9aQ0b1.i4t.1ekc.2g"),
	pin(SMSProject, SMSProjectArgs{}, "sq:..0.0.0"),
	pin(SMSQuantity, SMSQuantityArgs{SMSProjectArgs: SMSProjectArgs{Country: "Ab3_-xyz", Project: "Zz9aQ0b1", Search: 23501, Page: 65532, CountrySearch: 88}, Quantity: 10}, "sn:Ab3_-xyz.Zz9aQ0b1.i4t.1ekc.2g.a"),
	pin(SMSQuantity, SMSQuantityArgs{}, "sn:..0.0.0.0"),
	pin(Room, struct{}{}, "Av"),
	pin(RoomChoose, struct{}{}, "Avc"),
	pin(RoomTest, struct{}{}, "Avt"),
	pin(RoomHour, struct{}{}, "Avh"),
	pin(RoomHourSet, RoomHourArgs{Hour: 24}, "Avs:o"),
	pin(RoomUnbind, struct{}{}, "Avu"),
	pin(RoomUnbindSure, struct{}{}, "Avx"),
	pin(UnresolvedBalance, UnresolvedArgs{Purchase: 9007199254740991, Listed: true}, "ub:2gosa7pa2gv.1"),
	pin(UnresolvedBalance, UnresolvedArgs{}, "ub:0.0"),
	pin(UnresolvedAdopt, PurchaseArgs{Purchase: 9007199254740991}, "un:2gosa7pa2gv"),
	pin(UnresolvedAdoptSure, AdoptArgs{Purchase: 9007199254740991, ExternalID: -1234567}, "uy:2gosa7pa2gv.-qglj"),
	pin(UnresolvedAdoptSure, AdoptArgs{}, "uy:0.0"),
	pin(UnresolvedDismiss, PurchaseArgs{Purchase: 9007199254740991}, "ud:2gosa7pa2gv"),
}

// TestCallbackData pins the callback data of every route: buttons in people's chats
// contain it, so a released route must never change its data.
func TestCallbackData(t *testing.T) {
	for _, p := range pinnedRoutes {
		p.check(t)
	}
}

// FuzzCallbackData: a button may contain anything. Every route refuses it, or it is
// exactly what the route encodes for the arguments that it decodes.
func FuzzCallbackData(f *testing.F) {
	routes := map[string]func(rest string) (string, error){}
	for _, p := range pinnedRoutes {
		routes[p.route] = p.reencode
		f.Add(p.data)
	}
	for _, seed := range []string{"", ":", "m:", "zz:0", "b:2", "q:0.0.0..0", "q:0.0.0..0.0.0", "p:00.0..0.0", "p:-0.0..0.0", "p:Z.0..0.0", "p:1y2p0ij32e8e8.0..0.0", "s:abc.0", "s:.\xff", "c:1ekg", "p:0.74..0.0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data string) {
		_, rest := route.Split(data)
		for name, reencode := range routes {
			encoded, err := reencode(rest)
			switch {
			case len(encoded) > route.MaxBytes:
				t.Fatalf("%q is encoded as %q, %d bytes", name+rest, encoded, len(encoded))
			case err != nil && !errors.Is(err, route.ErrMalformed):
				t.Fatalf("%q: %v", name+rest, err)
			case err == nil && encoded != name+rest:
				t.Fatalf("%q is decoded, and encoded again as %q", name+rest, encoded)
			}
		}
	})
}

// TestCallbackDataIsComplete checks that TestCallbackData has each route.
func TestCallbackDataIsComplete(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	tested, err := os.ReadFile("routes_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range regexp.MustCompile(`(\w+) += route\.New\[`).FindAllSubmatch(source, -1) {
			if name := string(declaration[1]); !regexp.MustCompile(`pin\(` + name + `,`).Match(tested) {
				t.Errorf("%s: the route %s is not tested", file, name)
			}
		}
	}
}

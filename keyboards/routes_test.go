package keyboards

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"hstockbot/internal/route"
)

// checkData checks the exact callback data of a route and these arguments, in both
// directions.
func checkData[A comparable](t *testing.T, r route.Route[A], args A, want string) {
	t.Helper()
	if got := r.Data(args); got != want {
		t.Errorf("the data of %+v is %q, want %q", args, got, want)
	}
	name, rest := route.Split(want)
	if got, err := r.Parse(rest); name != r.Name() || err != nil || got != args {
		t.Errorf("%q is parsed as %+v, %v; want %+v", want, got, err, args)
	}
}

// TestCallbackData pins the callback data of every route: buttons in people's chats
// contain it, so a released route must never change its data.
func TestCallbackData(t *testing.T) {
	checkData(t, Admin, struct{}{}, "A")
	checkData(t, AdminLog, PageArgs{Page: 65535}, "Al:1ekf")
	checkData(t, AdminOrders, AdminOrdersArgs{Filter: 3, Person: -1234567, Category: "Ab3_-xyz", Day: 65532, Page: 65531}, "Aol:3.-qglj.Ab3_-xyz.1ekc.1ekb")
	checkData(t, AdminOrders, AdminOrdersArgs{}, "Aol:0.0..0.0")
	checkData(t, AdminOrdersPerson, AdminOrdersArgs{Filter: 3, Person: -1234567, Category: "Ab3_-xyz", Day: 65532, Page: 65531}, "Aop:3.-qglj.Ab3_-xyz.1ekc.1ekb")
	checkData(t, AdminOrdersCategories, AdminOrdersSublistArgs{AdminOrdersArgs: AdminOrdersArgs{Filter: 3, Person: -1234567, Category: "Ab3_-xyz", Day: 65532, Page: 65531}, Subpage: 65530}, "Aoc:3.-qglj.Ab3_-xyz.1ekc.1ekb.1eka")
	checkData(t, AdminOrdersCategories, AdminOrdersSublistArgs{}, "Aoc:0.0..0.0.0")
	checkData(t, AdminOrdersDays, AdminOrdersArgs{Filter: 3, Person: -1234567, Category: "Ab3_-xyz", Day: 65532, Page: 65531}, "Aod:3.-qglj.Ab3_-xyz.1ekc.1ekb")
	checkData(t, AdminOrdersTotals, AdminOrdersSublistArgs{AdminOrdersArgs: AdminOrdersArgs{Filter: 3, Person: -1234567, Category: "Ab3_-xyz", Day: 65532, Page: 65531}, Subpage: 65530}, "Aot:3.-qglj.Ab3_-xyz.1ekc.1ekb.1eka")
	checkData(t, AdminOrdersPicture, AdminOrdersArgs{Filter: 3, Person: -1234567, Category: "Ab3_-xyz", Day: 65532, Page: 65531}, "Aog:3.-qglj.Ab3_-xyz.1ekc.1ekb")
	checkData(t, AdminOrdersExport, AdminOrdersArgs{Filter: 3, Person: -1234567, Category: "Ab3_-xyz", Day: 65532, Page: 65531}, "Aox:3.-qglj.Ab3_-xyz.1ekc.1ekb")
	checkData(t, AdminUnresolvedList, AdminOrdersSublistArgs{AdminOrdersArgs: AdminOrdersArgs{Filter: 3, Person: -1234567, Category: "Ab3_-xyz", Day: 65532, Page: 65531}, Subpage: 65530}, "Aou:3.-qglj.Ab3_-xyz.1ekc.1ekb.1eka")
	checkData(t, AdminUnresolved, AdminUnresolvedArgs{Purchase: 9007199254740991, AdminOrdersArgs: AdminOrdersArgs{Filter: 4, Person: 23501, Category: "Zz9aQ0b1", Day: 65531, Page: 65530}, ListPage: 65529}, "Aow:2gosa7pa2gv.4.i4t.Zz9aQ0b1.1ekb.1eka.1ek9")
	checkData(t, AdminUnresolved, AdminUnresolvedArgs{}, "Aow:0.0.0..0.0.0")
	checkData(t, AdminOrder, AdminOrderArgs{Order: 9007199254740991, AdminOrdersArgs: AdminOrdersArgs{Filter: 4, Person: 23501, Category: "Zz9aQ0b1", Day: 65531, Page: 65530}}, "Aoo:2gosa7pa2gv.4.i4t.Zz9aQ0b1.1ekb.1eka")
	checkData(t, AdminOrder, AdminOrderArgs{}, "Aoo:0.0.0..0.0")
	checkData(t, Balance, BalanceArgs{Refresh: true}, "b:1")
	checkData(t, Spending, struct{}{}, "bs")
	checkData(t, BalanceThreshold, struct{}{}, "Awb")
	checkData(t, BalanceThresholdRemove, struct{}{}, "Awo")
	checkData(t, Broadcasts, struct{}{}, "Ab")
	checkData(t, BroadcastWrite, struct{}{}, "Abw")
	checkData(t, BroadcastText, LanguageArgs{Lang: "Ab3_-xyz"}, "Abt:Ab3_-xyz")
	checkData(t, BroadcastRemove, LanguageArgs{Lang: "Ab3_-xyz"}, "Abr:Ab3_-xyz")
	checkData(t, BroadcastPreview, struct{}{}, "Abp")
	checkData(t, BroadcastSend, BroadcastSendArgs{ID: 9007199254740991, Revision: -1234567}, "Abs:2gosa7pa2gv.-qglj")
	checkData(t, BroadcastSend, BroadcastSendArgs{}, "Abs:0.0")
	checkData(t, BroadcastDiscard, struct{}{}, "Abx")
	checkData(t, BroadcastShow, BroadcastArgs{ID: 9007199254740991}, "Abo:2gosa7pa2gv")
	checkData(t, BroadcastStop, BroadcastArgs{ID: 9007199254740991}, "Abk:2gosa7pa2gv")
	checkData(t, OrderCancel, CancelArgs{Order: 9007199254740991, Listed: true, Filter: 3, Page: 65532}, "ox:2gosa7pa2gv.1.3.1ekc")
	checkData(t, OrderCancel, CancelArgs{}, "ox:0.0.0.0")
	checkData(t, OrderCancelSure, CancelArgs{Order: 9007199254740991, Listed: true, Filter: 3, Page: 65532}, "oy:2gosa7pa2gv.1.3.1ekc")
	checkData(t, OrderRemind, CancelArgs{Order: 9007199254740991, Listed: true, Filter: 3, Page: 65532}, "oz:2gosa7pa2gv.1.3.1ekc")
	checkData(t, CancelAll, struct{}{}, "xa")
	checkData(t, CancelAllSure, CancelAllArgs{Orders: "Ab3_-xyz"}, "xs:Ab3_-xyz")
	checkData(t, Catalog, PageArgs{Page: 65535}, "c:1ekf")
	checkData(t, Category, CategoryArgs{Category: "Ab3_-xyz", Page: 65534}, "cc:Ab3_-xyz.1eke")
	checkData(t, Category, CategoryArgs{}, "cc:.0")
	checkData(t, Shelf, ShelfArgs{Path: "Ab3_-xyz", Page: 65534}, "s:Ab3_-xyz.1eke")
	checkData(t, Shelf, ShelfArgs{}, "s:.0")
	checkData(t, Confirm, PurchaseArgs{Purchase: 9007199254740991}, "ok:2gosa7pa2gv")
	checkData(t, Discard, PurchaseArgs{Purchase: 9007199254740991}, "no:2gosa7pa2gv")
	checkData(t, NewCard, PurchaseArgs{Purchase: 9007199254740991}, "ag:2gosa7pa2gv")
	checkData(t, OrderAgain, PurchaseArgs{Purchase: 9007199254740991}, "oa:2gosa7pa2gv")
	checkData(t, Help, struct{}{}, "h")
	checkData(t, ExternalFind, ExternalArgs{ExternalID: 9007199254740991}, "ef:2gosa7pa2gv")
	checkData(t, ExternalImport, ExternalArgs{ExternalID: 9007199254740991}, "et:2gosa7pa2gv")
	checkData(t, Key, struct{}{}, "k")
	checkData(t, KeyReplace, struct{}{}, "kr")
	checkData(t, KeyRemove, struct{}{}, "kx")
	checkData(t, KeyRemoveSure, struct{}{}, "ky")
	checkData(t, NoOp, struct{}{}, "n")
	checkData(t, Language, struct{}{}, "g")
	checkData(t, SetLanguage, LanguageArgs{Lang: "Ab3_-xyz"}, "gs:Ab3_-xyz")
	checkData(t, Linked, LinkedArgs{Link: 9007199254740991, Page: 65534}, "lk:2gosa7pa2gv.1eke")
	checkData(t, Linked, LinkedArgs{}, "lk:0.0")
	checkData(t, LinkedService, LinkedServiceArgs{Link: 9007199254740991, Service: -1234567, Page: 65533}, "lp:2gosa7pa2gv.-qglj.1ekd")
	checkData(t, LinkedService, LinkedServiceArgs{}, "lp:0.0.0")
	checkData(t, LinkedAmount, LinkedServiceArgs{Link: 9007199254740991, Service: -1234567, Page: 65533}, "la:2gosa7pa2gv.-qglj.1ekd")
	checkData(t, LinkedQuantity, LinkedQuantityArgs{LinkedServiceArgs: LinkedServiceArgs{Link: 9007199254740991, Service: -1234567, Page: 65533}, Quantity: 7}, "lq:2gosa7pa2gv.-qglj.1ekd.7")
	checkData(t, LinkedQuantity, LinkedQuantityArgs{}, "lq:0.0.0.0")
	checkData(t, Maintenance, struct{}{}, "Am")
	checkData(t, MaintenanceSwitch, SwitchArgs{On: true}, "Ams:1")
	checkData(t, MaintenanceText, struct{}{}, "Amt")
	checkData(t, MaintenanceDefaultText, struct{}{}, "Amo")
	checkData(t, Menu, struct{}{}, "m")
	checkData(t, OrdersExport, struct{}{}, "xe")
	checkData(t, MyData, struct{}{}, "yd")
	checkData(t, Forget, struct{}{}, "yf")
	checkData(t, ForgetAsk, struct{}{}, "ya")
	checkData(t, ForgetSure, ForgetArgs{Summary: "Ab3_-xyz"}, "ys:Ab3_-xyz")
	checkData(t, Orders, OrdersArgs{Filter: 3, Page: 65534, AsNewMessage: true}, "l:3.1eke.1")
	checkData(t, Orders, OrdersArgs{}, "l:0.0.0")
	checkData(t, Order, OrderViewArgs{Order: 9007199254740991, Filter: 4, Page: 65533}, "o:2gosa7pa2gv.4.1ekd")
	checkData(t, Order, OrderViewArgs{}, "o:0.0.0")
	checkData(t, OrderRefresh, OrderViewArgs{Order: 9007199254740991, Filter: 4, Page: 65533}, "or:2gosa7pa2gv.4.1ekd")
	checkData(t, CardRefresh, OrderRef{Order: 9007199254740991}, "cr:2gosa7pa2gv")
	checkData(t, OrderAccounts, OrderRef{Order: 9007199254740991}, "oc:2gosa7pa2gv")
	checkData(t, OrderProblem, OrderRef{Order: 9007199254740991}, "ow:2gosa7pa2gv")
	checkData(t, PersonFind, struct{}{}, "Apf")
	checkData(t, Person, PersonArgs{Person: 9007199254740991}, "Ap:2gosa7pa2gv")
	checkData(t, PersonBlock, PersonArgs{Person: 9007199254740991}, "Apb:2gosa7pa2gv")
	checkData(t, PersonBlockSure, PersonArgs{Person: 9007199254740991}, "Apy:2gosa7pa2gv")
	checkData(t, PersonUnblock, PersonArgs{Person: 9007199254740991}, "Apu:2gosa7pa2gv")
	checkData(t, PhoneShow, OrderRef{Order: 9007199254740991}, "ns:2gosa7pa2gv")
	checkData(t, PhoneCheck, OrderRef{Order: 9007199254740991}, "nr:2gosa7pa2gv")
	checkData(t, PhoneAgain, OrderRef{Order: 9007199254740991}, "na:2gosa7pa2gv")
	checkData(t, PhoneAnother, OrderRef{Order: 9007199254740991}, "nm:2gosa7pa2gv")
	checkData(t, PhoneCode, OrderRef{Order: 9007199254740991}, "nc:2gosa7pa2gv")
	checkData(t, Product, ProductArgs{Service: 9007199254740991, ProductList: ProductList{From: 4, Hash: "Ab3_-xyz", Search: 7, Page: 65531}}, "p:2gosa7pa2gv.4.Ab3_-xyz.7.1ekb")
	checkData(t, Product, ProductArgs{}, "p:0.0..0.0")
	checkData(t, ProductRefresh, ProductArgs{Service: 9007199254740991, ProductList: ProductList{From: 4, Hash: "Ab3_-xyz", Search: 7, Page: 65531}}, "pr:2gosa7pa2gv.4.Ab3_-xyz.7.1ekb")
	checkData(t, OtherAmount, ProductArgs{Service: 9007199254740991, ProductList: ProductList{From: 4, Hash: "Ab3_-xyz", Search: 7, Page: 65531}}, "pa:2gosa7pa2gv.4.Ab3_-xyz.7.1ekb")
	checkData(t, Quantity, QuantityArgs{Service: 9007199254740991, Quantity: -1234567, ProductList: ProductList{From: 3, Hash: "Zz9aQ0b1", Search: 88, Page: 65530}}, "q:2gosa7pa2gv.-qglj.3.Zz9aQ0b1.2g.1eka")
	checkData(t, Quantity, QuantityArgs{}, "q:0.0.0..0.0")
	checkData(t, SkipEmail, QuantityArgs{Service: 9007199254740991, Quantity: -1234567, ProductList: ProductList{From: 3, Hash: "Zz9aQ0b1", Search: 88, Page: 65530}}, "qs:2gosa7pa2gv.-qglj.3.Zz9aQ0b1.2g.1eka")
	checkData(t, Saved, SavedArgs{Page: 65535, Removing: true}, "fa:1ekf.1")
	checkData(t, Saved, SavedArgs{}, "fa:0.0")
	checkData(t, SavedRemove, SavedRemoveArgs{Service: 9007199254740991, Page: 65534}, "fr:2gosa7pa2gv.1eke")
	checkData(t, SavedRemove, SavedRemoveArgs{}, "fr:0.0")
	checkData(t, Save, ProductArgs{Service: 9007199254740991, ProductList: ProductList{From: 4, Hash: "Ab3_-xyz", Search: 7, Page: 65531}}, "fs:2gosa7pa2gv.4.Ab3_-xyz.7.1ekb")
	checkData(t, Unsave, ProductArgs{Service: 9007199254740991, ProductList: ProductList{From: 4, Hash: "Ab3_-xyz", Search: 7, Page: 65531}}, "fu:2gosa7pa2gv.4.Ab3_-xyz.7.1ekb")
	checkData(t, WatchRestock, ProductArgs{Service: 9007199254740991, ProductList: ProductList{From: 4, Hash: "Ab3_-xyz", Search: 7, Page: 65531}}, "wb:2gosa7pa2gv.4.Ab3_-xyz.7.1ekb")
	checkData(t, WatchRestockOff, ProductArgs{Service: 9007199254740991, ProductList: ProductList{From: 4, Hash: "Ab3_-xyz", Search: 7, Page: 65531}}, "wx:2gosa7pa2gv.4.Ab3_-xyz.7.1ekb")
	checkData(t, WatchPrice, ProductArgs{Service: 9007199254740991, ProductList: ProductList{From: 4, Hash: "Ab3_-xyz", Search: 7, Page: 65531}}, "wp:2gosa7pa2gv.4.Ab3_-xyz.7.1ekb")
	checkData(t, WatchPriceOff, ProductArgs{Service: 9007199254740991, ProductList: ProductList{From: 4, Hash: "Ab3_-xyz", Search: 7, Page: 65531}}, "wo:2gosa7pa2gv.4.Ab3_-xyz.7.1ekb")
	checkData(t, Search, struct{}{}, "se")
	checkData(t, Found, FoundArgs{Search: 9007199254740991, Page: 65534}, "sr:2gosa7pa2gv.1eke")
	checkData(t, Found, FoundArgs{}, "sr:0.0")
	checkData(t, Recommended, PageArgs{Page: 65535}, "re:1ekf")
	checkData(t, Sellers, PageArgs{Page: 65535}, "sh:1ekf")
	checkData(t, SellerGoods, SellerArgs{Seller: "Ab3_-xyz", Page: 65534}, "sw:Ab3_-xyz.1eke")
	checkData(t, SellerGoods, SellerArgs{}, "sw:.0")
	checkData(t, SMSCountries, SMSCountriesArgs{Search: 9007199254740991, Page: 65534}, "sc:2gosa7pa2gv.1eke")
	checkData(t, SMSCountries, SMSCountriesArgs{}, "sc:0.0")
	checkData(t, SMSFindCountry, struct{}{}, "sf")
	checkData(t, SMSProjects, SMSProjectsArgs{Country: "Ab3_-xyz", Search: -1234567, Page: 65533, CountrySearch: 7}, "sp:Ab3_-xyz.-qglj.1ekd.7")
	checkData(t, SMSProjects, SMSProjectsArgs{}, "sp:.0.0.0")
	checkData(t, SMSFindProject, SMSFindArgs{Country: "Ab3_-xyz", CountrySearch: -1234567}, "sg:Ab3_-xyz.-qglj")
	checkData(t, SMSFindProject, SMSFindArgs{}, "sg:.0")
	checkData(t, SMSProject, SMSProjectArgs{Country: "Ab3_-xyz", Project: "Zz9aQ0b1", Search: 23501, Page: 65532, CountrySearch: 88}, "sq:Ab3_-xyz.Zz9aQ0b1.i4t.1ekc.2g")
	checkData(t, SMSProject, SMSProjectArgs{}, "sq:..0.0.0")
	checkData(t, SMSQuantity, SMSQuantityArgs{SMSProjectArgs: SMSProjectArgs{Country: "Ab3_-xyz", Project: "Zz9aQ0b1", Search: 23501, Page: 65532, CountrySearch: 88}, Quantity: 10}, "sn:Ab3_-xyz.Zz9aQ0b1.i4t.1ekc.2g.a")
	checkData(t, SMSQuantity, SMSQuantityArgs{}, "sn:..0.0.0.0")
	checkData(t, UnresolvedBalance, UnresolvedArgs{Purchase: 9007199254740991, Listed: true}, "ub:2gosa7pa2gv.1")
	checkData(t, UnresolvedBalance, UnresolvedArgs{}, "ub:0.0")
	checkData(t, UnresolvedAdopt, PurchaseArgs{Purchase: 9007199254740991}, "un:2gosa7pa2gv")
	checkData(t, UnresolvedAdoptSure, AdoptArgs{Purchase: 9007199254740991, ExternalID: -1234567}, "uy:2gosa7pa2gv.-qglj")
	checkData(t, UnresolvedAdoptSure, AdoptArgs{}, "uy:0.0")
	checkData(t, UnresolvedDismiss, PurchaseArgs{Purchase: 9007199254740991}, "ud:2gosa7pa2gv")
}

// TestCallbackDataIsComplete checks that TestCallbackData contains each route.
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
			if name := string(declaration[1]); !regexp.MustCompile(`checkData\(t, ` + name + `,`).Match(tested) {
				t.Errorf("%s: the route %s is not tested", file, name)
			}
		}
	}
}

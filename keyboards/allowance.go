package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// AllowanceArgs are the terms of an allowance that an admin is about to give to a person,
// or by link (Person 0). Amount is in ten-thousandths, Markup in hundredths of a percent.
type AllowanceArgs struct {
	Person  int64
	Amount  int64
	Monthly bool
	Markup  uint16
}

// AllowanceLinkArgs is a link to an allowance.
type AllowanceLinkArgs struct{ Link int64 }

// KeyPaysArgs says whether the allowance pays, or the person's own key.
type KeyPaysArgs struct{ Allowance bool }

// Routes of allowances. Allowance shows one, AllowanceAmount asks for the amount,
// AllowanceTerms shows what is given by AllowanceGive.
var (
	KeyPays             = route.New[KeyPaysArgs]("kp")
	Allowance           = route.New[PersonArgs]("Aa")
	AllowanceAmount     = route.New[AllowanceArgs]("Aag")
	AllowanceMarkup     = route.New[AllowanceArgs]("Aam")
	AllowanceTerms      = route.New[AllowanceArgs]("Aat")
	AllowanceGive       = route.New[AllowanceArgs]("Aay")
	AllowanceRemove     = route.New[PersonArgs]("Aax")
	AllowanceRemoveSure = route.New[PersonArgs]("Aaz")
	AllowanceChoose     = route.New[struct{}]("Aac")
	AllowanceLinks      = route.New[struct{}]("Aal")
	AllowanceRevoke     = route.New[AllowanceLinkArgs]("Aav")
)

// AllowanceKeyKeyboard is the keyboard of the screen of the API key where the person has an
// allowance. own says whether they have a key, too.
func AllowanceKeyKeyboard(l *locales.Localizer, own, pays, answered, keeps bool) Rows {
	none := struct{}{}
	if !own {
		return append(Rows{{Tap(l.Label("allowance_button_add"), KeyReplace.Data(none))}}, emailRow(l, answered, keeps, Foot(l, ""))...)
	}
	row := []Button{Tap(l.Label("allowance_button_pays"), KeyPays.Data(KeyPaysArgs{Allowance: true}))}
	if pays {
		row = []Button{Tap(l.Label("allowance_button_own"), KeyPays.Data(KeyPaysArgs{}))}
	}
	return append(Rows{row}, KeyKeyboard(l, answered, keeps)...)
}

// WaitingKeyboard goes with a purchase that waits for its turn.
func WaitingKeyboard(l *locales.Localizer, purchase int64) Rows {
	return Rows{{Tap(l.Label("confirm_button_cancel"), Discard.Data(PurchaseArgs{Purchase: purchase}))}}
}

// AllowanceKeyboard goes with a person's allowance, if there is one. A change begins with
// the present terms.
func AllowanceKeyboard(l *locales.Localizer, terms AllowanceArgs, has bool) Rows {
	args := PersonArgs{Person: terms.Person}
	rows := Rows{{Tap(l.Label("adminallowance_button_give"), AllowanceAmount.Data(terms))}}
	if has {
		rows = Rows{{
			Tap(l.Label("adminallowance_button_change"), AllowanceAmount.Data(terms)),
			danger(Tap(l.Label("adminallowance_button_remove"), AllowanceRemove.Data(args))),
		}}
	}
	rows = append(rows, []Button{Tap(l.Label("ledger_button"), LedgerPerson.Data(LedgerPersonArgs{Person: args.Person}))})
	return append(rows, Foot(l, Person.Data(args))...)
}

// AllowanceAmountKeyboard offers amounts, which are the labels of their terms.
func AllowanceAmountKeyboard(l *locales.Localizer, args AllowanceArgs, amounts []Item) Rows {
	var buttons []Button
	for _, amount := range amounts {
		buttons = append(buttons, Tap(amount.Name, amount.Data))
	}
	return append(inRows(2, buttons), Foot(l, args.back())...)
}

// back is the screen before the question for the amount.
func (a AllowanceArgs) back() string {
	if a.Person == 0 {
		return AllowanceLinks.Data(struct{}{})
	}
	return Allowance.Data(PersonArgs{Person: a.Person})
}

// AllowanceTermsKeyboard changes the terms or gives the allowance. markup is the label of
// the present markup.
func AllowanceTermsKeyboard(l *locales.Localizer, args AllowanceArgs, markup string) Rows {
	other, label := args, "adminallowance_button_month"
	if args.Monthly {
		label = "adminallowance_button_once"
	}
	other.Monthly = !args.Monthly
	return Rows{
		{Tap(l.Label(label), AllowanceTerms.Data(other)), Tap(markup, AllowanceMarkup.Data(args))},
		{success(Tap(l.Label("adminallowance_button_sure"), AllowanceGive.Data(args)))},
		{Tap(l.Label("nav_button_back"), AllowanceAmount.Data(args)), Tap(l.Label("nav_button_menu"), Menu.Data(struct{}{}))},
	}
}

// AllowanceRemoveKeyboard asks for confirmation.
func AllowanceRemoveKeyboard(l *locales.Localizer, args PersonArgs) Rows {
	return append(Rows{{danger(Tap(l.Label("adminallowance_button_remove"), AllowanceRemoveSure.Data(args)))}}, Foot(l, Allowance.Data(args))...)
}

// AllowanceUnknownKeyboard goes with a person who can be given an allowance by link only.
func AllowanceUnknownKeyboard(l *locales.Localizer, args AllowanceArgs) Rows {
	args.Person = 0
	data := AllowanceAmount.Data(args)
	if args.Amount > 0 {
		data = AllowanceTerms.Data(args)
	}
	return append(Rows{{Tap(l.Label("adminallowance_button_link"), data)}}, Foot(l, PersonFind.Data(struct{}{}))...)
}

// AllowanceLinksKeyboard revokes the links that nobody has used, which are the labels.
func AllowanceLinksKeyboard(l *locales.Localizer, links []Item) Rows {
	rows := Rows{{Tap(l.Label("adminallowance_button_link"), AllowanceAmount.Data(AllowanceArgs{}))}}
	for _, link := range links {
		rows = append(rows, []Button{Tap(link.Name, link.Data)})
	}
	return append(rows, Foot(l, PersonFind.Data(struct{}{}))...)
}

// PersonFindKeyboard goes with the question for a person's id. Admins choose one from their
// contacts, and look at the links to allowances.
func PersonFindKeyboard(l *locales.Localizer, admin bool) Rows {
	var rows Rows
	if admin {
		rows = Rows{{Tap(l.Label("adminallowance_button_choose"), AllowanceChoose.Data(struct{}{})), Tap(l.Label("adminallowance_button_links"), AllowanceLinks.Data(struct{}{}))}}
	}
	return append(rows, Foot(l, Admin.Data(struct{}{}))...)
}

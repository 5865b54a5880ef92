package keyboards

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// styled are all buttons with a colour, by their routes, variables or labels, each with the
// reason.
// Every button of a red or green route has its colour. A blue one is blue where it is the
// main action of its screen.
var styled = map[string]map[string]string{
	"success": {
		"Confirm":             "spends money, which is what the card asks for",
		"BasketConfirm":       "spends money, which is what the card asks for",
		"ExternalImport":      "says yes to adding the order that was found",
		"SwapSure":            "spends money, which is what the question asks for",
		"UnresolvedAdoptSure": "says yes to the order that was found",
		"Restored":            "says that the orders were checked, so that people can buy again",
		"HouseAdoptSure":      "says yes to the order that was found",
		"AllowanceGive":       "gives what the terms say",
		"LetterSend":          "sends the message that the preview shows",
		"PersonUnblock":       "lets the person in again",
	},
	"danger": {
		"OrderCancel":         "asks whether to cancel the order",
		"OrderCancelSure":     "cancels the order",
		"CancelAll":           "asks whether to cancel all open orders",
		"CancelAllSure":       "cancels all open orders",
		"BasketStop":          "ends the buying of a basket for good",
		"BasketEmpty":         "asks whether to empty the basket",
		"BasketRemove":        "empties the basket",
		"AllowanceRemove":     "asks whether to end a person's allowance",
		"AllowanceRemoveSure": "ends a person's allowance",
		"HouseDismiss":        "asks whether nothing was bought",
		"HouseDismissSure":    "says that nothing was bought",
		"KeyRemove":           "asks whether to delete the API key",
		"KeyRemoveSure":       "deletes the API key",
		"ForgetAsk":           "asks whether to delete everything about the person",
		"ForgetSure":          "deletes everything about the person",
		"PersonBlock":         "asks whether to block the person",
		"PersonBlockSure":     "blocks the person",
		"BroadcastSend":       "sends a message to everybody",
		"BroadcastStop":       "ends a broadcast for good",
		"BroadcastDiscard":    "deletes the draft",
		"BroadcastRemove":     "deletes a text of the draft",
		"GreetingTextRemove":  "deletes the greeting of a language",
		"GreetingLinksRemove": "deletes the links of a language",
		"RoomUnbind":          "asks whether to forget the group of the shop",
		"RoomUnbindSure":      "forgets the group of the shop",
		"ChannelUnbind":       "asks whether to end the posts in the channel",
		"ChannelUnbindSure":   "ends the posts in the channel",
	},
	"Primary": {
		"Catalog":           "the menu: most people open it to buy",
		"Key":               "the one thing to do without a working key",
		"newCard":           "tries again after a refusal",
		"UnresolvedBalance": "shows whether the money has gone, before anything else is done",
		"OrderAccounts":     "what was bought",
		"PhoneCheck":        "what a person who waits for a code taps",
		"PhoneCode":         "the code that has come",
		"copyCode":          "the code that has come",
		"Product":           "the product that a watch was about",
		"RoomChoose":        "the one thing to do without a group",
		"BroadcastWrite":    "begins or goes on with a broadcast",
		"BroadcastPreview":  "the step after writing",
		"nav_button_retry":  "repeats what has failed",
	},
}

// TestStyledButtons compares the buttons that the code colours with the list.
func TestStyledButtons(t *testing.T) {
	found := map[string]map[string]bool{}
	for style := range styled {
		found[style] = map[string]bool{}
	}
	plain := map[string]bool{} // buttons without a colour
	for _, file := range sources(t) {
		coloured := map[*ast.CallExpr]bool{}
		ast.Inspect(file, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				return true
			}
			style := nameOf(call.Fun)
			switch {
			case style == "Tap" && len(call.Args) == 2 && !coloured[call]:
				plain[buttonName(call)] = true
			case found[style] != nil:
				button := buttonName(call.Args[0])
				found[style][button] = true
				if tap, ok := call.Args[0].(*ast.CallExpr); ok {
					coloured[tap] = true
				}
			}
			return true
		})
	}
	for style, list := range styled {
		got, want := slices.Sorted(maps.Keys(found[style])), slices.Sorted(maps.Keys(list))
		if !slices.Equal(got, want) {
			t.Errorf("%s: the code has %q, the list %q", style, got, want)
		}
		for name, reason := range list {
			if reason == "" {
				t.Errorf("%s has no reason", name)
			}
			if plain[name] && style != "Primary" {
				t.Errorf("a button of %s is not %s", name, style)
			}
		}
	}
}

// buttonName names a button by its variable, its route or its label.
func buttonName(button ast.Expr) string {
	tap, ok := button.(*ast.CallExpr)
	if !ok {
		return nameOf(button)
	}
	if data, ok := tap.Args[1].(*ast.CallExpr); ok {
		if of, ok := data.Fun.(*ast.SelectorExpr); ok && of.Sel.Name == "Data" {
			return nameOf(of.X)
		}
	}
	if label, ok := tap.Args[0].(*ast.CallExpr); ok {
		if id, ok := label.Args[0].(*ast.BasicLit); ok {
			return strings.Trim(id.Value, `"`)
		}
	}
	return ""
}

// nameOf returns the last part of a name, such as Key of keyboards.Key.
func nameOf(expression ast.Expr) string {
	switch e := expression.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// sources returns the code that makes buttons.
func sources(t *testing.T) []*ast.File {
	t.Helper()
	var files []*ast.File
	for _, pattern := range []string{"*.go", "../handlers/*.go"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v, %v", pattern, names, err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
	}
	return files
}

func TestStyleValues(t *testing.T) {
	if got := []string{success(Button{}).Style, danger(Button{}).Style, Primary(Button{}).Style}; !slices.Equal(got, []string{"success", "danger", "primary"}) {
		t.Errorf("the styles are %v", got)
	}
}

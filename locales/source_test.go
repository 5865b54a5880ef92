package locales

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// source is what the project's code says about messages.
type source struct {
	literals map[string]bool   // every string literal: what a message may be used by
	wanted   map[string]string // ids that must exist → where
	prefixes map[string]string // beginnings of ids, some of which must exist → where
	texts    map[string]bool   // ids asked for as HTML
	labels   map[string]bool   // ids asked for as plain text
	plurals  map[string]string // ids asked for with a count → where
	singles  map[string]string // ids asked for without one → where
	given    []given           // arguments of calls that the code spells out
	twice    []string          // where HTML is handed on as data, to be escaped again
}

type given struct {
	id, where string
	names     map[string]bool
}

// speaks are the folders in which a lower_snake string is a message id and
// nothing else. Elsewhere only the first argument of T, N, Label, LabelN and
// Has is one.
var speaks = []string{"handlers", "keyboards", "locales"}

// otherNames are strings in those folders that look like ids and are not.
var otherNames = map[string]bool{
	"telegram_profile": true, // a row of settings
	"telegram_admins":  true, // another
}

// scanProject reads all of the project's code but tests, the pretend world and
// the linter's module.
func scanProject(t *testing.T) *source {
	t.Helper()
	root := ".."
	s := newSource()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path = filepath.ToSlash(path)
		name := entry.Name()
		switch {
		case entry.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata" || path == root+"/tools" || path == root+"/internal/sandbox"):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		folder, _, _ := strings.Cut(strings.TrimPrefix(path, root+"/"), "/")
		return s.scan(path, nil, slices.Contains(speaks, folder))
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newSource() *source {
	return &source{
		literals: map[string]bool{}, wanted: map[string]string{}, prefixes: map[string]string{},
		texts: map[string]bool{}, labels: map[string]bool{},
		plurals: map[string]string{}, singles: map[string]string{},
	}
}

// scan reads one file; content is as in parser.ParseFile.
func (s *source) scan(path string, content any, speaking bool) error {
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, path, content, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, declaration := range parsed.Decls {
		if imports, ok := declaration.(*ast.GenDecl); ok && imports.Tok == token.IMPORT {
			continue
		}
		arguments := argumentsIn(declaration)
		ast.Inspect(declaration, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.Field:
				node.Tag = nil // a column or a variable of the environment
			case *ast.BasicLit:
				if text, ok := stringOf(node); ok {
					s.literal(text, files.Position(node.Pos()).String(), speaking)
				}
			case *ast.CompositeLit:
				s.escapedTwice(node, files)
			case *ast.CallExpr:
				s.call(node, arguments, files.Position(node.Pos()).String())
			}
			return true
		})
	}
	return nil
}

func (s *source) literal(text, where string, speaking bool) {
	s.literals[text] = true
	if !speaking {
		return
	}
	if idPattern.MatchString(text) && !otherNames[text] {
		s.wanted[text] = where
	}
	if prefix, ok := strings.CutSuffix(text, "_"); ok && idPattern.MatchString(prefix+"_x") {
		s.prefixes[text] = where
	}
}

// call notes what a call of a Localizer, or of a function say that takes the
// same arguments, tells about its message.
func (s *source) call(call *ast.CallExpr, arguments map[string]map[string]bool, where string) {
	name := ""
	switch function := call.Fun.(type) {
	case *ast.SelectorExpr:
		name = function.Sel.Name
	case *ast.Ident:
		name = function.Name
	}
	if len(call.Args) == 0 {
		return
	}
	id, ok := stringOf(call.Args[0])
	if !ok || !idPattern.MatchString(id) {
		return
	}
	rest := call.Args[1:]
	switch name {
	case "T", "say":
		s.texts[id], s.singles[id] = true, where
	case "N":
		s.texts[id], s.plurals[id] = true, where
		rest = call.Args[min(2, len(call.Args)):]
	case "Label":
		s.labels[id], s.singles[id] = true, where
	case "LabelN":
		s.labels[id], s.plurals[id] = true, where
		rest = call.Args[min(2, len(call.Args)):]
	case "Has":
		s.wanted[id] = where
		return
	default:
		return
	}
	s.wanted[id] = where
	names := map[string]bool{"Count": s.plurals[id] == where}
	for _, argument := range rest {
		some := namesIn(argument)
		if variable, ok := argument.(*ast.Ident); ok {
			some = arguments[variable.Name]
		}
		if some == nil {
			return // made elsewhere: the screens' own tests see it
		}
		maps.Copy(names, some)
	}
	s.given = append(s.given, given{id: id, where: where, names: names})
}

// escapedTwice notes where an argument is what T or N returned and is not
// marked as HTML.
func (s *source) escapedTwice(literal *ast.CompositeLit, files *token.FileSet) {
	if namesIn(literal) == nil {
		return
	}
	for _, element := range literal.Elts {
		pair, ok := element.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		call, ok := pair.Value.(*ast.CallExpr)
		if !ok {
			continue
		}
		if method, ok := call.Fun.(*ast.SelectorExpr); ok && (method.Sel.Name == "T" || method.Sel.Name == "N") {
			s.twice = append(s.twice, files.Position(pair.Pos()).String()+": an argument that is HTML already: locales.HTML(…), or Label")
		}
	}
}

// argumentsIn finds the variables of a function that hold Args, with the names
// of all that is ever put into them.
func argumentsIn(declaration ast.Decl) map[string]map[string]bool {
	found := map[string]map[string]bool{}
	ast.Inspect(declaration, func(node ast.Node) bool {
		assign, ok := node.(*ast.AssignStmt)
		if !ok || len(assign.Lhs) != len(assign.Rhs) {
			return true
		}
		for i, left := range assign.Lhs {
			switch left := left.(type) {
			case *ast.Ident:
				if names := namesIn(assign.Rhs[i]); names != nil {
					if found[left.Name] == nil {
						found[left.Name] = map[string]bool{}
					}
					maps.Copy(found[left.Name], names)
				}
			case *ast.IndexExpr:
				variable, ok := left.X.(*ast.Ident)
				name, literal := stringOf(left.Index)
				if ok && literal && found[variable.Name] != nil {
					found[variable.Name][name] = true
				}
			}
		}
		return true
	})
	return found
}

// namesIn returns the keys of an Args{…} literal, or nil for anything else.
func namesIn(expression ast.Expr) map[string]bool {
	literal, ok := expression.(*ast.CompositeLit)
	if !ok {
		return nil
	}
	switch kind := literal.Type.(type) {
	case *ast.Ident:
		ok = kind.Name == "Args"
	case *ast.SelectorExpr:
		ok = kind.Sel.Name == "Args"
	default:
		ok = false
	}
	if !ok {
		return nil
	}
	names := map[string]bool{}
	for _, element := range literal.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			if name, ok := stringOf(pair.Key); ok {
				names[name] = true
			}
		}
	}
	return names
}

func stringOf(expression ast.Expr) (string, bool) {
	literal, ok := expression.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(literal.Value)
	return text, err == nil
}

// faults holds the code against the English messages.
func (s *source) faults(english file) []string {
	faults := slices.Clone(s.twice)
	for id, where := range s.wanted {
		if english.messages[id] == nil {
			faults = append(faults, where+": "+id+" is not in en.toml")
		}
	}
	for prefix, where := range s.prefixes {
		if !slices.ContainsFunc(english.ids, func(id string) bool { return strings.HasPrefix(id, prefix) }) {
			faults = append(faults, where+": nothing in en.toml begins with "+prefix)
		}
	}
	for _, id := range english.ids {
		begun := false
		for prefix := range s.prefixes {
			begun = begun || strings.HasPrefix(id, prefix)
		}
		if !begun && !s.literals[id] {
			faults = append(faults, "en.toml: "+id+" is used nowhere")
		}
		if s.labels[id] && s.texts[id] && strings.ContainsAny(english.messages[id]["other"], "<>&") {
			faults = append(faults, "en.toml: "+id+" is used as HTML and as plain text")
		}
	}
	for id, where := range s.plurals {
		if english.messages[id] != nil && !isPlural(english.messages[id]) {
			faults = append(faults, where+": "+id+" has no plural forms")
		}
	}
	for id, where := range s.singles {
		if isPlural(english.messages[id]) {
			faults = append(faults, where+": "+id+" has plural forms and wants a count")
		}
	}
	for _, call := range s.given {
		for _, name := range placeholders(english.messages[call.id]["other"]) {
			if !call.names[name] {
				faults = append(faults, call.where+": "+call.id+" wants "+name)
			}
		}
	}
	slices.Sort(faults)
	return faults
}

func TestMessagesOfCode(t *testing.T) {
	for _, fault := range scanProject(t).faults(readFiles(t)[0]) {
		t.Error(fault)
	}
}

func TestSourceFaults(t *testing.T) {
	const messages = `
list_text = "<b>{{.Name}}</b> {{.Price}}"
list_button_all = "All & more"
list_left.one = "{{.Count}} {{.Name}}"
list_left.other = "{{.Count}} {{.Name}}"
state_open = "Open"
state_done = "Done"
`
	const whole = `
		l.T("list_text", locales.Args{"Name": 1, "Price": 2, "More": 3})
		l.Label("list_button_all")
		l.N("list_left", 2, locales.Args{"Name": 1})
		l.Label("state_" + word)
	`
	change := func(old, replacement string) string { return strings.Replace(whole, old, replacement, 1) }
	for _, tt := range []struct{ name, body, want string }{
		{"whole", whole, ""},
		{"by a variable", change(`"list_button_all"`, "id") + `id := "list_button_all"`, ""},
		{"arguments in a variable", change(`locales.Args{"Name": 1, "Price": 2, "More": 3}`, "a") + `a := locales.Args{"Name": 1}; a["Price"] = 2`, ""},
		{"arguments from elsewhere", change(`locales.Args{"Name": 1, "Price": 2, "More": 3}`, "f()"), ""},
		{"an error's message", whole + `return say("list_text", locales.Args{"Name": 1, "Price": 2})`, ""},
		{"missing", whole + `l.T("list_more")`, "x.go:7:6: list_more is not in en.toml"},
		{"missing, by a variable", whole + `id := "list_more"`, "x.go:7:8: list_more is not in en.toml"},
		{"missing prefix", whole + `l.T("kind_" + word)`, "x.go:7:6: nothing in en.toml begins with kind_"},
		{"unused", change(`l.Label("list_button_all")`, ""), "en.toml: list_button_all is used nowhere"},
		{"argument missing", change(`"Price": 2, `, ""), "x.go:3:3: list_text wants Price"},
		{"no arguments", whole + `return say("list_text")`, "x.go:7:9: list_text wants Name\nx.go:7:9: list_text wants Price"},
		{"argument of a plural missing", change(`2, locales.Args{"Name": 1}`, "2"), "x.go:5:3: list_left wants Name"},
		{"count for none", whole + `l.N("state_open", 2)`, "x.go:7:2: state_open has no plural forms"},
		{"no count", whole + `l.T("list_left", locales.Args{"Name": 1, "Count": 1})`, "x.go:7:2: list_left has plural forms and wants a count"},
		{"HTML as data", change(`"More": 3`, `"More": l.T("state_open")`), "x.go:3:56: an argument that is HTML already: locales.HTML(…), or Label"},
		{"HTML as HTML", change(`"More": 3`, `"More": locales.HTML(l.T("state_open"))`), ""},
		{"both kinds of text", whole + `l.T("list_button_all")`, "en.toml: list_button_all is used as HTML and as plain text"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			english, err := readFile("en", messages)
			if err != nil {
				t.Fatal(err)
			}
			s := newSource()
			if err := s.scan("x.go", "package x\nfunc f() {"+tt.body+"}", true); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(s.faults(english), "\n"); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

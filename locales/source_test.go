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

// source describes how the code of the project uses messages.
type source struct {
	literals map[string]bool   // every string literal, any of which may use a message
	wanted   map[string]string // ids that must exist → where
	prefixes map[string]string // prefixes of ids, of which at least one must exist → where
	texts    map[string]bool   // ids used as HTML
	labels   map[string]bool   // ids used as plain text
	plurals  map[string]string // ids used with a count → where
	singles  map[string]string // ids used without a count → where
	calls    []call            // calls whose arguments are known
	escaped  []string          // faults: HTML passed as data, which is escaped twice
}

// call is a call that renders a message with the arguments of these names.
type call struct {
	id, where string
	names     map[string]bool
}

// messageFolders are the folders in which each lower_snake string is a message id.
// In other folders only the first argument of T, N, Label, LabelN and Has is one.
var messageFolders = []string{"handlers", "keyboards", "locales"}

// otherNames are strings in those folders that match idPattern, but are not ids.
var otherNames = map[string]bool{
	"telegram_profile": true, // a key of the table settings
	"telegram_admins":  true, // likewise
}

// scanProject scans all Go files of the project but tests, the sandbox and the
// module of the tools.
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
		return s.scan(path, nil, slices.Contains(messageFolders, folder))
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

// scan scans one file. content has the meaning of src in parser.ParseFile;
// inMessageFolder says whether the file is in one of messageFolders.
func (s *source) scan(path string, content any, inMessageFolder bool) error {
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
				node.Tag = nil // not a message id
			case *ast.BasicLit:
				if text, ok := stringOf(node); ok {
					s.literal(text, files.Position(node.Pos()).String(), inMessageFolder)
				}
			case *ast.CompositeLit:
				s.checkArguments(node, files)
			case *ast.CallExpr:
				s.call(node, arguments, files.Position(node.Pos()).String())
			}
			return true
		})
	}
	return nil
}

func (s *source) literal(text, where string, inMessageFolder bool) {
	s.literals[text] = true
	if !inMessageFolder {
		return
	}
	if idPattern.MatchString(text) && !otherNames[text] {
		s.wanted[text] = where
	}
	if prefix, ok := strings.CutSuffix(text, "_"); ok && idPattern.MatchString(prefix+"_x") {
		s.prefixes[text] = where
	}
}

// call records a call of a method of Localizer, or of a function say with the same
// parameters.
func (s *source) call(expression *ast.CallExpr, arguments map[string]map[string]bool, where string) {
	name := ""
	switch function := expression.Fun.(type) {
	case *ast.SelectorExpr:
		name = function.Sel.Name
	case *ast.Ident:
		name = function.Name
	}
	if len(expression.Args) == 0 {
		return
	}
	id, ok := stringOf(expression.Args[0])
	if !ok || !idPattern.MatchString(id) {
		return
	}
	rest := expression.Args[1:]
	switch name {
	case "T", "say":
		s.texts[id], s.singles[id] = true, where
	case "N":
		s.texts[id], s.plurals[id] = true, where
		rest = expression.Args[min(2, len(expression.Args)):]
	case "Label":
		s.labels[id], s.singles[id] = true, where
	case "LabelN":
		s.labels[id], s.plurals[id] = true, where
		rest = expression.Args[min(2, len(expression.Args)):]
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
			return // unknown here; the tests of the screens cover it
		}
		maps.Copy(names, some)
	}
	s.calls = append(s.calls, call{id: id, where: where, names: names})
}

// checkArguments records a fault for each argument that is a result of T or N and
// not converted to HTML.
func (s *source) checkArguments(literal *ast.CompositeLit, files *token.FileSet) {
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
			s.escaped = append(s.escaped, files.Position(pair.Pos()).String()+": the argument is HTML: convert it with locales.HTML(…) or use Label")
		}
	}
}

// argumentsIn returns the variables of a declaration that contain Args, each with
// the names of all arguments that are assigned to it.
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

// faults compares the use of messages with the English file.
func (s *source) faults(english file) []string {
	faults := slices.Clone(s.escaped)
	for id, where := range s.wanted {
		if english.messages[id] == nil {
			faults = append(faults, where+": "+id+" is not in en.toml")
		}
	}
	for prefix, where := range s.prefixes {
		if !slices.ContainsFunc(english.ids, func(id string) bool { return strings.HasPrefix(id, prefix) }) {
			faults = append(faults, where+": no id in en.toml begins with "+prefix)
		}
	}
	for _, id := range english.ids {
		hasPrefix := false
		for prefix := range s.prefixes {
			hasPrefix = hasPrefix || strings.HasPrefix(id, prefix)
		}
		if !hasPrefix && !s.literals[id] {
			faults = append(faults, "en.toml: "+id+" is not used")
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
			faults = append(faults, where+": "+id+" has plural forms, but is used without a count")
		}
	}
	for _, call := range s.calls {
		for _, name := range placeholders(english.messages[call.id]["other"]) {
			if !call.names[name] {
				faults = append(faults, call.where+": "+call.id+" lacks the argument "+name)
			}
		}
	}
	slices.Sort(faults)
	return faults
}

func TestCodeUsesMessagesCorrectly(t *testing.T) {
	for _, fault := range scanProject(t).faults(readFiles(t)[0]) {
		t.Error(fault)
	}
}

func TestFaultsOfSource(t *testing.T) {
	const messages = `
list_text = "<b>{{.Name}}</b> {{.Price}}"
list_button_all = "All & more"
list_left.one = "{{.Count}} {{.Name}}"
list_left.other = "{{.Count}} {{.Name}}"
state_open = "Open"
state_done = "Done"
`
	const valid = `
		l.T("list_text", locales.Args{"Name": 1, "Price": 2, "More": 3})
		l.Label("list_button_all")
		l.N("list_left", 2, locales.Args{"Name": 1})
		l.Label("state_" + word)
	`
	change := func(old, replacement string) string { return strings.Replace(valid, old, replacement, 1) }
	for _, tt := range []struct{ name, body, want string }{
		{"valid", valid, ""},
		{"id in a variable", change(`"list_button_all"`, "id") + `id := "list_button_all"`, ""},
		{"arguments in a variable", change(`locales.Args{"Name": 1, "Price": 2, "More": 3}`, "a") + `a := locales.Args{"Name": 1}; a["Price"] = 2`, ""},
		{"arguments of a function", change(`locales.Args{"Name": 1, "Price": 2, "More": 3}`, "f()"), ""},
		{"message of an error", valid + `return say("list_text", locales.Args{"Name": 1, "Price": 2})`, ""},
		{"missing", valid + `l.T("list_more")`, "x.go:7:6: list_more is not in en.toml"},
		{"missing id in a variable", valid + `id := "list_more"`, "x.go:7:8: list_more is not in en.toml"},
		{"missing prefix", valid + `l.T("kind_" + word)`, "x.go:7:6: no id in en.toml begins with kind_"},
		{"unused", change(`l.Label("list_button_all")`, ""), "en.toml: list_button_all is not used"},
		{"argument missing", change(`"Price": 2, `, ""), "x.go:3:3: list_text lacks the argument Price"},
		{"no arguments", valid + `return say("list_text")`, "x.go:7:9: list_text lacks the argument Name\nx.go:7:9: list_text lacks the argument Price"},
		{"argument of a plural missing", change(`2, locales.Args{"Name": 1}`, "2"), "x.go:5:3: list_left lacks the argument Name"},
		{"count for a message without forms", valid + `l.N("state_open", 2)`, "x.go:7:2: state_open has no plural forms"},
		{"no count", valid + `l.T("list_left", locales.Args{"Name": 1, "Count": 1})`, "x.go:7:2: list_left has plural forms, but is used without a count"},
		{"HTML as data", change(`"More": 3`, `"More": l.T("state_open")`), "x.go:3:56: the argument is HTML: convert it with locales.HTML(…) or use Label"},
		{"HTML as HTML", change(`"More": 3`, `"More": locales.HTML(l.T("state_open"))`), ""},
		{"both kinds of text", valid + `l.T("list_button_all")`, "en.toml: list_button_all is used as HTML and as plain text"},
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

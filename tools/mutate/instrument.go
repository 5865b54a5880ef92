package main

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// mutant is one change of the code.
type mutant struct {
	id       int
	file     string // from the root of the module
	line     int
	function string
	operator string
	from, to string
	// branch: it makes no difference but in a branch that no test takes where it is not met.
	branch bool
}

// key names the mutant in the file of survivors. Mutants of the same text in one function
// share it.
func (m mutant) key() string {
	return collapsed(fmt.Sprintf("%s %s: %s: %s -> %s", m.file, m.function, m.operator, excerpt(m.from), excerpt(m.to)))
}

func collapsed(s string) string { return strings.Join(strings.Fields(s), " ") }

func excerpt(s string) string {
	const most = 110
	if r := []rune(collapsed(s)); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

//go:embed chosen/chosen.go
var chosenSource string

// goPackage is what `go list` says about a package.
type goPackage struct {
	ImportPath, Name, Dir, Export string
	GoFiles                       []string
	DepOnly                       bool // it was not asked for
}

// instrument makes changed copies of the files that are chosen in packages of root, in which
// each mutant can be put in force: overlay maps the files to their copies in folder. The ids
// of the mutants count from 1.
func instrument(ctx context.Context, root, folder string, patterns []string, files *regexp.Regexp) (packages []goPackage, mutants []mutant, overlay map[string]string, err error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-export", "-deps", "-json=ImportPath,Name,Dir,Export,GoFiles,DepOnly", "--"}, patterns...)...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("go list: %w\n%s", err, stderr.String())
	}
	exports := map[string]string{}
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, nil, nil, fmt.Errorf("go list: %w", err)
		}
		exports[p.ImportPath] = p.Export
		if !p.DepOnly {
			packages = append(packages, p)
		}
	}
	overlay = map[string]string{}
	for _, p := range packages {
		changed, err := instrumentPackage(root, p, exports, files, &mutants)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("%s: %w", p.ImportPath, err)
		}
		for file, content := range changed {
			overlay[file] = filepath.Join(folder, fmt.Sprintf("%d.go", len(overlay)))
			if err := os.WriteFile(overlay[file], content, 0o600); err != nil {
				return nil, nil, nil, err
			}
		}
	}
	return packages, mutants, overlay, nil
}

// instrumentPackage returns the new text of the files.
func instrumentPackage(root string, p goPackage, exports map[string]string, chosen *regexp.Regexp, mutants *[]mutant) (map[string][]byte, error) {
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })}
	if _, err := config.Check(p.ImportPath, fset, files, info); err != nil {
		return nil, err
	}
	changed := map[string][]byte{
		filepath.Join(p.Dir, "zz_mutants.go"): []byte(strings.Replace(chosenSource, "package chosen", "package "+p.Name, 1)),
	}
	for i, file := range files {
		path := filepath.Join(p.Dir, p.GoFiles[i])
		name, err := filepath.Rel(root, path)
		if err != nil {
			return nil, err
		}
		if name = filepath.ToSlash(name); !chosen.MatchString(name) {
			continue
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		in := &instrumenter{fset: fset, info: info, name: name, source: source, mutants: *mutants}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil {
				in.function = f.Name.Name
				ast.Inspect(f.Body, in.visit)
			}
		}
		*mutants = in.mutants
		changed[path] = in.changed()
	}
	return changed, nil
}

// instrumenter collects the mutants of a file, and the edits of its text that put calls of
// the package chosen around what they change.
type instrumenter struct {
	fset     *token.FileSet
	info     *types.Info
	name     string
	function string
	source   []byte
	mutants  []mutant
	edits    []edit
}

// edit replaces a part of a file. Edits at the same place are applied in the order of rank.
type edit struct {
	from, until, rank int
	text              string
}

func (in *instrumenter) offset(p token.Pos) int { return in.fset.Position(p).Offset }

func (in *instrumenter) text(n ast.Node) string {
	return string(in.source[in.offset(n.Pos()):in.offset(n.End())])
}

// add notes a mutant and returns its id.
func (in *instrumenter) add(n ast.Node, operator, from, to string, branch bool) int {
	id := len(in.mutants) + 1
	in.mutants = append(in.mutants, mutant{id, in.name, in.fset.Position(n.Pos()).Line, in.function, operator, from, to, branch})
	return id
}

// wrap puts text around a node. A node is visited before those in it, so what is wrapped
// later at the same place comes inside.
func (in *instrumenter) wrap(n ast.Node, before, after string) {
	start, end, rank := in.offset(n.Pos()), in.offset(n.End()), len(in.edits)+1
	in.edits = append(in.edits, edit{start, start, rank, before}, edit{end, end, -rank, after})
}

// call makes a call with two arguments of an operator or a method, from x to y; the bracket
// of a method's call ends it.
func (in *instrumenter) call(x, y ast.Expr, name string, id int, op, end string) {
	start, rank := in.offset(x.Pos()), len(in.edits)+1
	in.edits = append(in.edits,
		edit{start, start, rank, fmt.Sprintf("%s(%d, %q, ", name, id, op)},
		edit{in.offset(x.End()), in.offset(y.Pos()), 0, ", "})
	if end != "" {
		in.edits = append(in.edits, edit{in.offset(y.End()), in.offset(y.End()), -rank, end})
	}
}

func (in *instrumenter) changed() []byte {
	slices.SortStableFunc(in.edits, func(a, b edit) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.rank, b.rank)) })
	var out bytes.Buffer
	at := 0
	for _, e := range in.edits {
		out.Write(in.source[at:e.from])
		out.WriteString(e.text)
		at = e.until
	}
	out.Write(in.source[at:])
	return out.Bytes()
}

// unchecked are statements that no test should have to miss: logs, what frees resources, and
// the places at which a test ends the process. A panic is needed by the compiler at times.
var unchecked = regexp.MustCompile(`(?i)^(panic\(|close\(|([\w.]+\.)?(s?log\.|checkpoint\()|(defer )?(cancel|[\w.]+\.(Stop|Unlock|RUnlock|Rollback|Close))\(\)$)`)

// visit adds the mutants of one node, and reports whether there are some in it.
func (in *instrumenter) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GenDecl:
		return n.Tok != token.CONST
	case *ast.ArrayType:
		return false // its length is constant
	case *ast.ExprStmt:
		return !unchecked.MatchString(in.text(n))
	case *ast.BlockStmt:
		in.statements(n.List)
	case *ast.CommClause:
		in.statements(n.Body)
	case *ast.CaseClause:
		in.statements(n.Body)
		in.conditions(n.List...)
	case *ast.IfStmt:
		in.conditions(n.Cond)
	case *ast.ForStmt:
		in.conditions(n.Cond)
	case *ast.AssignStmt:
		in.conditions(n.Rhs...)
	case *ast.ValueSpec:
		in.conditions(n.Values...)
	case *ast.KeyValueExpr:
		in.conditions(n.Value)
	case *ast.ReturnStmt:
		in.conditions(n.Results...)
		for _, result := range n.Results {
			if tv := in.info.Types[result]; !tv.IsNil() && tv.Type != nil && types.Identical(tv.Type, types.Universe.Lookup("error").Type()) {
				in.wrap(result, fmt.Sprintf("mutantError(%d, ", in.add(result, "err-nil", in.text(result), "nil", true)), ")")
			}
		}
	case *ast.CallExpr:
		in.conditions(n.Args...)
		in.method(n)
	case *ast.BinaryExpr:
		in.binary(n)
	case *ast.Ident:
		if object := in.info.Uses[n]; object != nil && object.Parent() == types.Universe && (n.Name == "true" || n.Name == "false") && isBasic(in.info.Types[n].Type, types.IsBoolean) {
			in.wrap(n, fmt.Sprintf("mutantFlip(%d, ", in.add(n, "flip", n.Name, "!"+n.Name, false)), ")")
		}
	case *ast.BasicLit:
		in.literal(n)
	}
	return true
}

func isBasic(t types.Type, is types.BasicInfo) bool {
	b, ok := t.(*types.Basic)
	return ok && b.Info()&is != 0
}

// statements adds mutants in which a statement is missing.
func (in *instrumenter) statements(list []ast.Stmt) {
	for _, s := range list {
		removable := false
		switch s := s.(type) {
		case *ast.ExprStmt:
			_, removable = s.X.(*ast.CallExpr)
		case *ast.AssignStmt:
			blank, isIdent := s.Lhs[0].(*ast.Ident)
			removable = s.Tok != token.DEFINE && !(len(s.Lhs) == 1 && isIdent && blank.Name == "_")
		case *ast.IncDecStmt, *ast.DeferStmt:
			removable = true
		case *ast.BranchStmt:
			removable = s.Tok == token.BREAK || s.Tok == token.CONTINUE
		}
		if removable && !unchecked.MatchString(in.text(s)) {
			in.wrap(s, fmt.Sprintf("if !mutantRemoves(%d) { ", in.add(s, "remove", in.text(s), "", false)), " }")
		}
	}
}

// conditions adds mutants in which a condition is true or false, for each part of an AND or OR.
func (in *instrumenter) conditions(list ...ast.Expr) {
	for _, e := range list {
		if p, ok := e.(*ast.ParenExpr); ok {
			in.conditions(p.X)
			continue
		}
		if b, ok := e.(*ast.BinaryExpr); ok && (b.Op == token.LAND || b.Op == token.LOR) {
			in.conditions(b.X, b.Y)
			continue
		}
		if tv := in.info.Types[e]; e != nil && tv.Value == nil && tv.IsValue() && isBasic(tv.Type, types.IsBoolean) {
			id := in.add(e, "true", in.text(e), "true", true)
			in.add(e, "false", in.text(e), "false", true)
			in.wrap(e, fmt.Sprintf("mutantBool(%d, ", id), ")")
		}
	}
}

var (
	boundary   = map[string]string{"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
	arithmetic = map[string]string{"+": "-", "-": "+", "*": "/", "/": "*"}
	// The methods of decimal.Decimal.
	decimalBoundary   = map[string]string{"LessThan": "LessThanOrEqual", "LessThanOrEqual": "LessThan", "GreaterThan": "GreaterThanOrEqual", "GreaterThanOrEqual": "GreaterThan"}
	decimalArithmetic = map[string]string{"Add": "Sub", "Sub": "Add", "Mul": "Div", "Div": "Mul"}
)

func (in *instrumenter) binary(n *ast.BinaryExpr) {
	tv := in.info.Types[n]
	if tv.Value != nil {
		return
	}
	op := n.Op.String()
	if to, ok := boundary[op]; ok {
		in.call(n.X, n.Y, "mutantOrder", in.add(n, "bound", in.text(n), to, false), op, ")")
	}
	if to, ok := arithmetic[op]; ok && isBasic(tv.Type.Underlying(), types.IsInteger|types.IsFloat) {
		in.call(n.X, n.Y, "mutantNumber", in.add(n, "arith", in.text(n), to, false), op, ")")
	}
}

// method adds the mutants of comparisons and calculations that are methods.
func (in *instrumenter) method(n *ast.CallExpr) {
	selector, ok := n.Fun.(*ast.SelectorExpr)
	if !ok || len(n.Args) != 1 || !in.info.Types[selector.X].IsValue() {
		return
	}
	named, ok := in.info.Types[selector.X].Type.(*types.Named)
	if !ok {
		return
	}
	name := selector.Sel.Name
	if named.String() == "time.Time" && (name == "Before" || name == "After") {
		in.call(selector.X, n.Args[0], "mutantTime", in.add(n, "bound", in.text(n), "or equal", false), name, "")
	}
	if named.Obj().Name() == "Decimal" {
		if to, ok := decimalBoundary[name]; ok {
			in.call(selector.X, n.Args[0], "mutantDecimalOrder", in.add(n, "bound", in.text(n), to, false), name, "")
		}
		if to, ok := decimalArithmetic[name]; ok {
			in.call(selector.X, n.Args[0], "mutantDecimal", in.add(n, "arith", in.text(n), to, false), name, "")
		}
	}
}

// literal adds the mutants of SQL.
func (in *instrumenter) literal(n *ast.BasicLit) {
	tv := in.info.Types[n]
	if n.Kind != token.STRING || tv.Value == nil || !isBasic(tv.Type, types.IsString) {
		return
	}
	sql, err := strconv.Unquote(n.Value)
	if err != nil {
		return
	}
	var texts strings.Builder
	first := len(in.mutants) + 1
	for _, m := range sqlMutants(sql) {
		in.add(n, m.operator, m.from, m.to, false)
		fmt.Fprintf(&texts, ", %q", m.text)
	}
	if texts.Len() > 0 {
		in.wrap(n, fmt.Sprintf("mutantText(%d, ", first), texts.String()+")")
	}
}

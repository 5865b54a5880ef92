package telegram

import (
	_ "embed" // botapi.json
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed botapi.json
var botAPI []byte

// tables returns the field tables of Bot API 10.1. botapi.json holds the names and
// types of the fields of every method and object ("Integer|String", "Array of X");
// a required field begins with "!".
var tables = sync.OnceValue(func() *schema {
	s, err := readSchema(botAPI)
	if err != nil {
		panic("telegram: botapi.json: " + err.Error()) // the file is embedded
	}
	return s
})

type schema struct {
	methods map[string]*method // by lower-case name, because Telegram ignores case
	objects map[string]*table
	unions  map[string]*union
}

// table holds the fields of a method or an object.
type table struct {
	fields   map[string]*field
	required []string // sorted
}

type method struct {
	name    string
	unknown bool // the schema lacks it
	table   *table
	returns []*kind
	schema  *schema
}

type field struct{ kinds []*kind }

// kind is one type that a value can have.
type kind struct {
	name string // "String", "Integer", "Float", "Boolean", "InputFile", an object or a union; "" for an array
	elem *kind  // of an array
}

// union is one of several types. byType maps the value of the field "type" to the
// member; it is nil if the value does not decide.
type union struct {
	members []*kind
	byType  map[string]*kind
}

func (s *schema) method(name string) *method { return s.methods[strings.ToLower(name)] }

func readSchema(data []byte) (*schema, error) {
	var raw struct {
		Methods map[string]struct {
			Fields  map[string]string
			Returns string
		}
		Types  map[string]map[string]string
		Unions map[string][]string
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, err
	}
	s := &schema{methods: map[string]*method{}, objects: map[string]*table{}, unions: map[string]*union{}}
	for name, m := range raw.Methods {
		s.methods[strings.ToLower(name)] = &method{
			name: name, table: readTable(m.Fields), returns: readKinds(m.Returns), schema: s,
		}
	}
	for name, f := range raw.Types {
		s.objects[name] = readTable(f)
	}
	for name, members := range raw.Unions {
		u := &union{}
		for _, member := range members {
			u.members = append(u.members, readKind(member))
		}
		u.byType = discriminator(name, members, s.objects)
		s.unions[name] = u
	}
	return s, nil
}

func readTable(raw map[string]string) *table {
	t := &table{fields: make(map[string]*field, len(raw))}
	for name, text := range raw {
		types, required := strings.CutPrefix(text, "!")
		t.fields[name] = &field{kinds: readKinds(types)}
		if required {
			t.required = append(t.required, name)
		}
	}
	slices.Sort(t.required)
	return t
}

// missingField returns the first required field that has denies, "" if none.
func (t *table) missingField(has func(string) bool) string {
	for _, name := range t.required {
		if !has(name) {
			return name
		}
	}
	return ""
}

func (t *table) isRequired(name string) bool {
	_, found := slices.BinarySearch(t.required, name)
	return found
}

func readKinds(text string) []*kind {
	var kinds []*kind
	for name := range strings.SplitSeq(text, "|") {
		kinds = append(kinds, readKind(name))
	}
	return kinds
}

func readKind(text string) *kind {
	if elem, ok := strings.CutPrefix(text, "Array of "); ok {
		return &kind{elem: readKind(elem)}
	}
	return &kind{name: text}
}

// discriminator maps the values of "type" to the members of a union. The tables do
// not have the values ("type must be chat" for BotCommandScopeChat), so they are
// derived from the members' names. It returns nil if the names don't follow the rule.
func discriminator(union string, members []string, objects map[string]*table) map[string]*kind {
	byType := map[string]*kind{}
	for _, member := range members {
		suffix, ok := strings.CutPrefix(member, union)
		if t := objects[member]; !ok || t == nil || !t.isRequired("type") {
			return nil
		}
		value := snake(suffix)
		if byType[value] != nil || strings.HasPrefix(suffix, "Cached") {
			return nil
		}
		byType[value] = readKind(member)
	}
	return byType
}

func snake(camel string) string {
	var b strings.Builder
	for i, r := range camel {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// missingMessages are Telegram's descriptions for missing parameters.
var missingMessages = map[string]string{
	"text":              "message text is empty",
	"chat_id":           "chat_id is empty",
	"message_id":        "message identifier is not specified",
	"message_ids":       "message identifiers are not specified",
	"document":          "there is no document in the request",
	"photo":             "there is no photo in the request",
	"action":            "wrong parameter action in request",
	"callback_query_id": expiredQuery,
	"inline_query_id":   expiredQuery,
	"file_id":           "file_id not specified",
}

// check checks the parameters against the method's table and decodes nested values
// into their node. Of several errors it returns the one of the first parameter by
// name, so that the result does not depend on the order of the map.
func (m *method) check(a args) *apiError {
	if m.unknown {
		return refuse(http.StatusNotFound, "Not Found")
	}
	missing := m.table.missingField(func(name string) bool { _, ok := a[name]; return ok })
	switch description := missingMessages[missing]; {
	case description != "":
		return badRequest("%s", description)
	case missing != "":
		return badRequest("parameter %q is required", missing)
	}
	for _, name := range slices.Sorted(maps.Keys(a)) {
		v, f := a[name], m.table.fields[name]
		switch {
		case f != nil:
			checked, err := m.schema.checkParameter(name, v, f)
			if err != nil {
				return err
			}
			a[name] = checked
		case v.file == nil || !a.attached(name):
			return badRequest("unknown parameter %q of %s (strict: Telegram ignores it)", name, m.name)
		}
	}
	return nil
}

// attached reports whether a parameter refers to the file part with this name.
func (a args) attached(name string) bool {
	for _, v := range a {
		if strings.Contains(v.text, "attach://"+name) {
			return true
		}
	}
	return false
}

func (s *schema) checkParameter(name string, v value, f *field) (value, *apiError) {
	if v.file != nil {
		for _, k := range f.kinds {
			if k.name == "InputFile" {
				return v, nil
			}
		}
		return v, badRequest("parameter %q is no file", name)
	}
	if v.typed {
		return v, s.parseError(name, s.checkAnyOf(name, v.node, f.kinds))
	}
	nested := false
	for _, k := range f.kinds {
		switch k.name {
		case "String":
			return v, nil
		case "Integer":
			if _, err := strconv.ParseInt(v.text, 10, 64); err == nil {
				return v, nil
			}
		case "Float":
			if _, err := strconv.ParseFloat(v.text, 64); err == nil {
				return v, nil
			}
		case "Boolean":
			if _, ok := parseBool(v.text); ok {
				return v, nil
			}
		case "InputFile": // text is not a file
		default:
			nested = true
		}
	}
	if !nested {
		return v, badRequest("parameter %q must be of type %s", name, typeNames(f.kinds))
	}
	node, err := decodeJSON([]byte(v.text))
	if err != nil {
		if name == "reply_markup" {
			return v, badRequest("can't parse reply keyboard markup JSON object")
		}
		return v, badRequest("can't parse %s JSON object", name)
	}
	v.node = node
	return v, s.parseError(name, s.checkAnyOf(name, node, f.kinds))
}

// parseError turns the error of a nested value into a refusal.
func (s *schema) parseError(name string, err error) *apiError {
	switch {
	case err == nil:
		return nil
	case name == "reply_markup":
		return badRequest("can't parse reply markup: %v", err)
	default:
		return badRequest("can't parse %s: %v", name, err)
	}
}

// checkAnyOf checks a value against several types. The error is the one of the type
// that shares the most fields with the value.
func (s *schema) checkAnyOf(path string, node any, kinds []*kind) error {
	if len(kinds) == 1 {
		return s.checkType(path, node, kinds[0])
	}
	var nearest error
	best := -1
	object, _ := node.(map[string]any)
	for _, k := range kinds {
		err := s.checkType(path, node, k)
		if err == nil {
			return nil
		}
		known := 0
		for name := range object {
			if t := s.objects[k.name]; t != nil && t.fields[name] != nil {
				known++
			}
		}
		if known > best {
			nearest, best = err, known
		}
	}
	if object == nil && len(kinds) > 1 {
		return fmt.Errorf("%s must be of type %s", path, typeNames(kinds))
	}
	return nearest
}

// checkType checks a value against one type, recursively.
func (s *schema) checkType(path string, node any, k *kind) error {
	ok := false
	switch {
	case k.elem != nil:
		var list []any
		if list, ok = node.([]any); ok {
			for i, elem := range list {
				if err := s.checkType(path+"["+strconv.Itoa(i)+"]", elem, k.elem); err != nil {
					return err
				}
			}
		}
	case k.name == "String":
		_, ok = node.(string)
	case k.name == "Integer":
		var n json.Number
		if n, ok = node.(json.Number); ok {
			_, err := n.Int64()
			ok = err == nil
		}
	case k.name == "Float":
		_, ok = node.(json.Number)
	case k.name == "Boolean":
		_, ok = node.(bool)
	case k.name == "InputFile": // "attach://<name>", a file_id or a URL
		_, ok = node.(string)
	default:
		return s.checkObject(path, node, k.name)
	}
	if !ok {
		return fmt.Errorf("%s must be of type %s", path, typeNames([]*kind{k}))
	}
	return nil
}

func (s *schema) checkObject(path string, node any, name string) error {
	object, isObject := node.(map[string]any)
	if u := s.unions[name]; u != nil {
		if u.byType == nil || !isObject {
			return s.checkAnyOf(path, node, u.members)
		}
		value, _ := object["type"].(string)
		member := u.byType[value]
		if member == nil {
			return fmt.Errorf("%s.type %q is no %s", path, value, name)
		}
		return s.checkType(path, node, member)
	}
	table, ok := s.objects[name]
	if !ok || !isObject {
		return fmt.Errorf("%s must be of type %s", path, name)
	}
	if missing := table.missingField(func(name string) bool { _, ok := object[name]; return ok }); missing != "" {
		return fmt.Errorf("%s: can't find field %q of %s", path, missing, name)
	}
	for _, field := range slices.Sorted(maps.Keys(object)) {
		value, f := object[field], table.fields[field]
		if f == nil {
			return fmt.Errorf("%s: unknown field %q of %s (strict: Telegram ignores it)", path, field, name)
		}
		if value == nil && !table.isRequired(field) {
			continue // Telegram treats null as a missing field
		}
		if err := s.checkAnyOf(path+"."+field, value, f.kinds); err != nil {
			return err
		}
	}
	return nil
}

// typeNames lists types for an error, "Integer or String".
func typeNames(kinds []*kind) string {
	var list []string
	for _, k := range kinds {
		prefix := ""
		for k.elem != nil {
			prefix += "Array of "
			k = k.elem
		}
		list = append(list, prefix+k.name)
	}
	return strings.Join(list, " or ")
}

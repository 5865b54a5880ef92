package route_test

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hstockbot/internal/route"
)

type shelf uint8

type page int16

// Every kind of field, in three structs: one struct with all would exceed
// MaxBytes.
type (
	signed struct {
		Small  int8
		Page   page
		Medium int32
		Large  int64
		Word   int
	}
	unsigned struct {
		From   shelf
		Small  uint16
		Medium uint32
		Large  uint64
		Word   uint
	}
	hashed struct {
		Category route.Hash
		Again    bool
		Item     int64
		Project  route.Hash
	}
	lone struct{ Category route.Hash }
	flag struct{ On bool }
	none struct{}
	List struct{ Page uint16 }
	item struct {
		ID int64
		List
		On bool
	}
)

func TestDataEncodesArguments(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{route.New[none]("menu").Data(none{}), "menu"},
		{route.New[flag]("f").Data(flag{}), "f:0"},
		{route.New[flag]("f").Data(flag{On: true}), "f:1"},
		{route.New[lone]("c").Data(lone{}), "c:"},
		{route.New[signed]("s").Data(signed{Small: -1, Page: 35, Medium: 36, Large: -1296}), "s:-1.z.10.-100.0"},
		{route.New[unsigned]("u").Data(unsigned{From: 255, Large: math.MaxUint64}), "u:73.0.0.3w5e11264sgsf.0"},
		{route.New[hashed]("h").Data(hashed{Category: "abcd_-09", Again: true, Item: 46}), "h:abcd_-09.1.1a."},
		{route.New[item]("i").Data(item{ID: 36, List: List{Page: 1}, On: true}), "i:10.1.1"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	hash := rapid.Custom(func(t *rapid.T) route.Hash { return route.HashOf(rapid.String().Draw(t, "name")) })
	t.Run("signed", rapid.MakeCheck(func(t *rapid.T) {
		roundTrip(t, signed{
			Small: rapid.Int8().Draw(t, "int8"), Page: page(rapid.Int16().Draw(t, "int16")), Medium: rapid.Int32().Draw(t, "int32"),
			Large: rapid.Int64().Draw(t, "int64"), Word: rapid.Int().Draw(t, "int"),
		})
	}))
	t.Run("unsigned", rapid.MakeCheck(func(t *rapid.T) {
		roundTrip(t, unsigned{
			From: shelf(rapid.Uint8().Draw(t, "uint8")), Small: rapid.Uint16().Draw(t, "uint16"), Medium: rapid.Uint32().Draw(t, "uint32"),
			Large: rapid.Uint64().Draw(t, "uint64"), Word: rapid.Uint().Draw(t, "uint"),
		})
	}))
	t.Run("hashed", rapid.MakeCheck(func(t *rapid.T) {
		roundTrip(t, hashed{
			Category: hash.Draw(t, "category"), Again: rapid.Bool().Draw(t, "again"),
			Item: rapid.Int64().Draw(t, "item"), Project: hash.Draw(t, "project"),
		})
	}))
	t.Run("lone hash", rapid.MakeCheck(func(t *rapid.T) { roundTrip(t, lone{hash.Draw(t, "category")}) }))
	t.Run("embedded", rapid.MakeCheck(func(t *rapid.T) {
		roundTrip(t, item{ID: rapid.Int64().Draw(t, "id"), List: List{Page: rapid.Uint16().Draw(t, "page")}, On: rapid.Bool().Draw(t, "on")})
	}))
	t.Run("none", rapid.MakeCheck(func(t *rapid.T) { roundTrip(t, none{}) }))
}

// roundTrip encodes and decodes args under the longest possible name.
func roundTrip[A any](t *rapid.T, args A) {
	r := longest[A]()
	data := r.Data(args)
	if len(data) > route.MaxBytes {
		t.Fatalf("%q has %d bytes", data, len(data))
	}
	name, rest := route.Split(data)
	if name != r.Name() {
		t.Fatalf("%q has the name %q", data, name)
	}
	decoded, err := r.Parse(rest)
	if err != nil {
		t.Fatalf("%q: %v", data, err)
	}
	if diff := cmp.Diff(args, decoded); diff != "" {
		t.Fatalf("%q: %s", data, diff)
	}
}

func longest[A any]() (r route.Route[A]) {
	for n := route.MaxBytes; ; n-- {
		if declared := declare[A](strings.Repeat("n", n), &r); declared {
			return r
		}
	}
}

func declare[A any](name string, r *route.Route[A]) (declared bool) {
	defer func() { declared = recover() == nil }()
	*r = route.New[A](name)
	return
}

func TestLongestDataHasMaxBytes(t *testing.T) {
	r := longest[signed]()
	lowest := signed{Small: math.MinInt8, Page: math.MinInt16, Medium: math.MinInt32, Large: math.MinInt64, Word: math.MinInt}
	if data := r.Data(lowest); len(data) != route.MaxBytes {
		t.Errorf("the longest data under the longest name is %q, %d bytes", data, len(data))
	}
}

// parsers decode data as arguments of each struct and encode the result again.
var parsers = map[string]func(rest string) (string, error){
	"s": reencode(route.New[signed]("s")),
	"u": reencode(route.New[unsigned]("u")),
	"h": reencode(route.New[hashed]("h")),
	"l": reencode(route.New[lone]("l")),
	"f": reencode(route.New[flag]("f")),
	"n": reencode(route.New[none]("n")),
	"i": reencode(route.New[item]("i")),
}

func reencode[A any](r route.Route[A]) func(string) (string, error) {
	return func(rest string) (string, error) {
		args, err := r.Parse(rest)
		return r.Data(args), err
	}
}

func TestParseRejectsMalformedData(t *testing.T) {
	for _, data := range []string{
		"n:", "n:0", "n:.", "n::", // no arguments
		"f", "f:", "f:2", "f:00", "f:true", "f:-0", "f:1.", "f:.1", "f::1", "f: 1", "f:1\x00",
		"l", "l:abc", "l:abcdefghi", "l:abcdefg.", "l:abcdefg ", "l:abcdefg=", "l:abcd+fgh", "l:ünïcöde", "l::abcdefg",
		"s:0.0.0.0", "s:0.0.0.0.0.0", "s:80.0.0.0.0", "s:01.0.0.0.0", "s:+1.0.0.0.0", "s:-0.0.0.0.0", "s:A.0.0.0.0", "s:1_0.0.0.0.0",
		"s:.0.0.0.0", "s:-.0.0.0.0", "s:0.pa8.0.0.0", "s:0.0.0.1y2p0ij32e8e8.0", "s:0.0.0.0.٣",
		"u:-1.0.0.0.0", "u:74.0.0.0.0", "u:0.0.0.3w5e11264sgsg.0",
		"h:abcdefgh.1.0", "h:abcdefgh.1.0.abcdefgh.0",
		"i:1.1", "i:1.1.1.1", "i:1.1ekg.1",
	} {
		name, rest := route.Split(data)
		if encoded, err := parsers[name](rest); !errors.Is(err, route.ErrMalformed) {
			t.Errorf("%q is decoded and encoded again as %q, error %v", data, encoded, err)
		}
	}
}

// FuzzParse checks that no data panics and that each value has one spelling.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", ":", "n", "n:", "f:1", "l:", "l:abcd_-09", "s:-1.z.10.-100.0", "u:73.0.0.3w5e11264sgsf.0", "h:abcd_-09.1.1a.", "s:....", "x:1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data string) {
		name, rest := route.Split(data)
		if name+rest != data {
			t.Fatalf("%q is split into %q and %q", data, name, rest)
		}
		for name, parse := range parsers {
			encoded, err := parse(rest)
			switch {
			case err != nil && !errors.Is(err, route.ErrMalformed):
				t.Fatalf("%q: %v", data, err)
			case err == nil && encoded != name+rest:
				t.Fatalf("%q is decoded and encoded again as %q", name+rest, encoded)
			}
		}
	})
}

func TestParseReturnsZeroArgumentsWithError(t *testing.T) {
	_, rest := route.Split("s:1.1.1.1.x!")
	if args, err := route.New[signed]("s").Parse(rest); err == nil || args != (signed{}) {
		t.Errorf("got %+v and error %v", args, err)
	}
}

func TestNewPanicsForInvalidRoutes(t *testing.T) {
	for name, declaration := range map[string]func(){
		"no name":           func() { route.New[none]("") },
		"colon in the name": func() { route.New[none]("a:b") },
		"point in the name": func() { route.New[none]("a.b") },
		"name too long":     func() { route.New[none](strings.Repeat("n", 65)) },
		"an array":          func() { route.New[[6]int64]("a") },
		"arguments too long": func() {
			route.New[struct{ A, B, C, D, E int64 }]("a")
		},
		"one byte too long": func() { route.New[flag](strings.Repeat("n", 63)) },
		"name in bytes":     func() { route.New[none](strings.Repeat("ы", 33)) },
		"a string":          func() { route.New[struct{ Name string }]("a") },
		"a named string":    func() { type hash route.Hash; route.New[struct{ Name hash }]("a") },
		"a float":           func() { route.New[struct{ Price float64 }]("a") },
		"a pointer":         func() { route.New[struct{ ID *int64 }]("a") },
		"a struct":          func() { route.New[struct{ Of struct{ ID int64 } }]("a") },
		"a named struct":    func() { route.New[struct{ Lone lone }]("a") },
		"a uintptr":         func() { route.New[struct{ At uintptr }]("a") },
		"not exported":      func() { route.New[struct{ id int64 }]("a") },
		"no struct":         func() { route.New[int]("a") },
		"a struct pointer": func() {
			route.New[*none]("a")
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if value := fmt.Sprint(recover()); !strings.HasPrefix(value, "route: ") {
					t.Errorf("panicked with %q, want a text that begins with route:", value)
				}
			}()
			declaration()
		})
	}
	route.New[none](strings.Repeat("n", 64))
	route.New[flag](strings.Repeat("n", 62))
}

func TestHashOf(t *testing.T) {
	if got := route.HashOf(""); got != "" {
		t.Errorf("the hash of the empty name is %q", got)
	}
	// Old buttons contain hashes, so this must never change. SHA-256 of "abc" is ba7816bf8f01….
	if got, want := route.HashOf("abc"), route.Hash("ungWv48B"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	shape := regexp.MustCompile(`^[A-Za-z0-9_-]{8}$`)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringN(1, -1, -1).Draw(t, "name")
		if got := route.HashOf(name); !shape.MatchString(string(got)) || got != route.HashOf(name) || got == route.HashOf(name+" ") {
			t.Fatalf("%q: %q", name, got)
		}
	})
}

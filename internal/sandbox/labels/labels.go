// Package labels measures the labels of buttons as Telegram's apps draw them, for tests.
package labels

import (
	"bytes"
	"embed"
	"fmt"
	"unicode"

	"github.com/go-text/typesetting/di"
	"github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/language"
	"github.com/go-text/typesetting/shaping"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/width"
)

// The room for a label on a phone whose screen is 360 points wide, in points: Telegram's
// app for Android gives a keyboard the width of its message, and leaves a margin.
const (
	Whole = 310 // in a row of its own
	Half  = 145 // in a row of two buttons
	Third = 90  // in a row of three
)

// size is the height of the letters on buttons, in points.
const size = 15

// The fonts are those of Android, with the letters that the languages need, and without
// outlines (subset.py made them). Roboto is under the Apache License 2.0, Noto under the
// SIL Open Font License 1.1.
//
//go:embed fonts/*.ttf
var fonts embed.FS

// Ruler measures labels. It is not safe for concurrent use.
type Ruler struct {
	faces  []*font.Face
	shaper shaping.HarfbuzzShaper
}

// NewRuler returns a Ruler. The error is for fonts that can't be read.
func NewRuler() (*Ruler, error) {
	ruler := &Ruler{}
	for _, name := range []string{"Roboto-Medium", "NotoSansArabic-Regular", "NotoSansDevanagari-Regular", "NotoSansBengali-Regular"} {
		data, err := fonts.ReadFile("fonts/" + name + ".ttf")
		if err != nil {
			return nil, err
		}
		face, err := font.ParseTTF(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		ruler.faces = append(ruler.faces, face)
	}
	return ruler, nil
}

// Width returns the width of a label, in points. Emoji and the characters of Chinese,
// Japanese and Korean are squares.
func (r *Ruler) Width(label string) float64 {
	text := []rune(label)
	var total float64
	for from := 0; from < len(text); {
		face := r.faceOf(text[from])
		to := from + 1
		for to < len(text) && (r.faceOf(text[to]) == face || face != nil && unicode.IsSpace(text[to])) {
			to++
		}
		total += r.runWidth(text, from, to, face)
		from = to
	}
	return total
}

// faceOf returns the first font that has the character, nil where none has.
func (r *Ruler) faceOf(char rune) *font.Face {
	for _, face := range r.faces {
		if _, ok := face.NominalGlyph(char); ok {
			return face
		}
	}
	return nil
}

func (r *Ruler) runWidth(text []rune, from, to int, face *font.Face) (total float64) {
	if face == nil {
		for _, char := range text[from:to] {
			total += squareWidth(char)
		}
		return total
	}
	input := shaping.Input{
		Text: text, RunStart: from, RunEnd: to, Direction: di.DirectionLTR, Face: face, Size: fixed.I(size),
		Script: language.LookupScript(text[from]), Language: language.NewLanguage("und"),
	}
	if input.Script == language.Arabic {
		input.Direction = di.DirectionRTL
	}
	advance := float64(r.shaper.Shape(input).Advance) / 64
	return max(advance, -advance)
}

// squareWidth returns the width of a character that no font has.
func squareWidth(char rune) float64 {
	switch {
	case unicode.In(char, unicode.Mn, unicode.Me, unicode.Cf): // variation selectors, isolates
		return 0
	case width.LookupRune(char).Kind() == width.EastAsianHalfwidth:
		return size / 2.0
	default:
		return size
	}
}

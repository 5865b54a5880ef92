package chart

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"testing"

	"github.com/shopspring/decimal"
)

func bars(amounts ...string) []Bar {
	var all []Bar
	for i, amount := range amounts {
		all = append(all, Bar{Label: fmt.Sprintf("2026-%02d", i+1), Amount: decimal.RequireFromString(amount)})
	}
	return all
}

// inked counts the pixels in a box that differ from the background.
func inked(picture image.Image, box image.Rectangle) (n int) {
	background := picture.At(1, 1)
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			if picture.At(x, y) != background {
				n++
			}
		}
	}
	return n
}

func draw(t *testing.T, panels ...Panel) image.Image {
	t.Helper()
	data, err := Draw(panels)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

func TestDraw(t *testing.T) {
	year := bars("0", "3.5", "12.0125", "0", "100", "99999.99", "40000", "1", "0.0001", "7000", "80000.5", "2")
	picture := draw(t, Panel{"USD", year}, Panel{"EUR", bars("0.0125", "0", "0.001")})
	if got, want := picture.Bounds(), image.Rect(0, 0, width, 2*height); got != want {
		t.Fatalf("the picture has the bounds %v, want %v", got, want)
	}
	// Each panel has its own high bar: the first in the middle, the second at the left.
	middle := image.Rect(width/2-120, 80, width/2+120, height-80)
	if n := inked(picture, middle); n < 2000 {
		t.Errorf("%d pixels in the middle of the first panel", n)
	}
	if n := inked(picture, image.Rect(60, height+80, width/3, 2*height-80)); n < 2000 {
		t.Errorf("%d pixels at the left of the second panel", n)
	}
	days := make([]Bar, 30)
	for i := range days {
		days[i] = Bar{Label: fmt.Sprintf("11-%02d", i+1), Amount: decimal.New(int64(i*i%17), -1)}
	}
	draw(t, Panel{"USD", days})
}

func TestHigherAmountHasHigherBar(t *testing.T) {
	picture := draw(t, Panel{"USD", bars("10", "40")})
	left, right := image.Rect(60, 60, width/2-10, height-60), image.Rect(width/2+10, 60, width-24, height-60)
	if low, high := inked(picture, left), inked(picture, right); high < 3*low {
		t.Errorf("the bar of 40 has %d pixels, that of 10 has %d", high, low)
	}
}

// The label above a bar is that of its own amount, also beside an equal one.
func TestEachBarIsLabelledWithItsOwnAmount(t *testing.T) {
	right := image.Rect(width/2+10, 0, width, height)
	crop := func(picture image.Image) (pixels []byte) {
		for y := right.Min.Y; y < right.Max.Y; y++ {
			for x := right.Min.X; x < right.Max.X; x++ {
				r, g, b, _ := picture.At(x, y).RGBA()
				pixels = append(pixels, byte(r>>8), byte(g>>8), byte(b>>8))
			}
		}
		return pixels
	}
	if !bytes.Equal(crop(draw(t, Panel{"", bars("10", "40")})), crop(draw(t, Panel{"", bars("40", "40")}))) {
		t.Error("the bar of 40 looks different beside a bar of 10")
	}
	if bytes.Equal(crop(draw(t, Panel{"", bars("40", "39.9")})), crop(draw(t, Panel{"", bars("40", "40")}))) {
		t.Error("the bars of 39.9 and of 40 look alike")
	}
}

func TestDrawAcceptsAnyPanel(t *testing.T) {
	for _, panel := range []Panel{
		{"", bars("0")},
		{"USD", bars("-3", "0")},
		{"ABCDEFGH", bars("123456789012345678901234567890")},
		{"¥", bars("0.000000000000000001")},
		{"人民币", bars("1")},
	} {
		if _, err := Draw([]Panel{panel}); err != nil {
			t.Errorf("%+v: %v", panel, err)
		}
	}
}

func BenchmarkDraw(b *testing.B) {
	panel := Panel{"USD", bars("0", "3.5", "12.0125", "0", "100", "99999.99", "40000", "1", "0.0001", "7000", "80000.5", "2")}
	for b.Loop() {
		if _, err := Draw([]Panel{panel}); err != nil {
			b.Fatal(err)
		}
	}
}

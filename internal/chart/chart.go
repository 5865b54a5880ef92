// Package chart draws bar charts as a PNG.
//
// It owns the layout: panels below each other, each with its own axis, and the
// exact amounts above the bars while there are few. Amounts become floating
// point numbers only to be drawn as pixels. It contains nothing of what the bars
// count. Its font has Latin letters, digits and signs only, so texts in the
// person's language belong into the caption of the picture.
package chart

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/go-analyze/charts"
	"github.com/shopspring/decimal"
)

// Panel is one set of bars with its own axis.
type Panel struct {
	Title string // Latin letters, digits and signs only
	Bars  []Bar  // at least one
}

// Bar is one bar. A negative amount is drawn as 0.
type Bar struct {
	Label  string // as Panel.Title
	Amount decimal.Decimal
}

const (
	width  = 1000 // pixels
	height = 460  // of one panel, pixels

	// maxLabels is the largest number of bars that have their amounts above them.
	maxLabels = 12
	// maxDates is how many of more bars have a label below them, which fit side by side.
	maxDates = 10
	fontSize = 13 // legible on a phone, where the picture is a third as wide
)

// Draw returns the panels as a PNG, one below the other.
func Draw(panels []Panel) ([]byte, error) {
	painter := charts.NewPainter(charts.PainterOptions{
		OutputFormat: charts.ChartOutputPNG, Width: width, Height: height * len(panels), Theme: charts.GetTheme(charts.ThemeLight),
	})
	for i, panel := range panels {
		box := charts.NewBox(0, i*height, width, (i+1)*height)
		if err := painter.Child(charts.PainterBoxOption(box)).BarChart(options(panel)); err != nil {
			return nil, fmt.Errorf("draw a chart: %w", err)
		}
	}
	picture, err := painter.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encode a chart: %w", err)
	}
	return picture, nil
}

// options converts the amounts to floating point numbers for the height of the
// bars. The labels above the bars are exact.
func options(panel Panel) charts.BarChartOption {
	values, labels, highest := make([]float64, len(panel.Bars)), make([]string, len(panel.Bars)), 0.0
	for i, bar := range panel.Bars {
		values[i], labels[i] = max(bar.Amount.InexactFloat64(), 0), bar.Label
		highest = max(highest, values[i])
	}
	option := charts.NewBarChartOptionWithData([][]float64{values})
	option.Padding = charts.NewBoxEqual(24)
	option.Title = charts.TitleOption{Text: panel.Title, Offset: charts.OffsetCenter}
	option.Legend.Show = charts.Ptr(false)
	option.CategoryAxis.Labels = labels
	option.CategoryAxis.LabelFontStyle.FontSize = fontSize
	option.ValueAxis[0].Min = charts.Ptr(0.0)
	option.ValueAxis[0].ValueFormatter = func(value float64) string {
		return strconv.FormatFloat(value, 'f', decimals(highest), 64)
	}
	option.CategoryAxis.LabelCount = min(len(labels), maxDates)
	if len(panel.Bars) <= maxLabels {
		option.CategoryAxis.LabelCount = len(labels)
		option.SeriesList[0].Label = charts.SeriesLabel{
			Show: charts.Ptr(true),
			// The first argument is the index of the series, not of the bar.
			LabelFormatter: func(_ int, _ string, value float64) (string, *charts.LabelStyle) {
				if i := slices.Index(values, value); i >= 0 && value > 0 {
					return panel.Bars[i].Amount.String(), nil
				}
				return "", nil
			},
		}
	}
	return option
}

// decimals returns how many decimals the values of an axis need to differ.
func decimals(highest float64) int {
	n := 0
	for ; highest < 100 && n < 8; n++ {
		highest *= 10
	}
	return n
}

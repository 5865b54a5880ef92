// Package chart draws bars as a PNG. It knows nothing of what they count, and
// writes no words: what its font can't spell stands beside the picture.
package chart

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/go-analyze/charts"
	"github.com/shopspring/decimal"
)

// Panel is one set of bars with an axis of its own.
type Panel struct {
	Title string // Latin letters, digits and signs; the font has no others
	Bars  []Bar  // at least one
}

// Bar is one bar; what is negative is drawn as nothing.
type Bar struct {
	Label  string // as Panel.Title
	Amount decimal.Decimal
}

const (
	width  = 1000 // pixels
	height = 460  // of a panel

	// mostLabels is up to how many bars each has its amount above it, exactly.
	mostLabels = 12
)

// Draw returns a picture of the panels, one below the other.
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

// options is where amounts become floating point: they are pixels from here on.
// What is written above the bars is not.
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
	option.CategoryAxis.LabelFontStyle.FontSize = 10
	option.ValueAxis[0].Min = charts.Ptr(0.0)
	option.ValueAxis[0].ValueFormatter = func(value float64) string {
		return strconv.FormatFloat(value, 'f', places(highest), 64)
	}
	if len(panel.Bars) <= mostLabels {
		option.CategoryAxis.LabelCount = len(labels)
		option.SeriesList[0].Label = charts.SeriesLabel{
			Show: charts.Ptr(true),
			// It is told the number of the series, not that of the bar.
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

// places is how many decimals tell the values of an axis apart.
func places(highest float64) int {
	places := 0
	for ; highest < 100 && places < 8; places++ {
		highest *= 10
	}
	return places
}

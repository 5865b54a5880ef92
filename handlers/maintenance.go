package handlers

import (
	"context"
	"errors"
	"strings"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/orders"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// maintenanceLength is the maximum length of the admins' own text, in characters. It
// is shown below a product, so both must fit in one message.
const maintenanceLength = 300

// maintenance shows whether maintenance is on, and the text that people see.
func (s *Screens) maintenance(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	l := req.L
	m, err := s.DB.Maintenance(ctx)
	if err != nil {
		return bot.View{}, err
	}
	state := l.T("maintenance_off")
	if m.On() {
		state = l.T("maintenance_on", locales.Args{"Since": clock(l, m.Since)})
	}
	lines := []string{l.T("maintenance_title"), "", state, "", l.T("maintenance_shown"), "<blockquote>" + maintenanceMessage(l, m) + "</blockquote>"}
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.MaintenanceKeyboard(l, m.On(), m.Text != "")}, nil
}

// maintenanceMessage returns the text that people see, as HTML.
func maintenanceMessage(l *locales.Localizer, m storage.Maintenance) string {
	if m.Text != "" {
		return locales.Escape(m.Text)
	}
	return l.T("maintenance_text")
}

// maintenanceSentence answers a person whose purchase was just refused because of
// maintenance, also if it is over by now. If the admins' own text can't be read, the
// bot's text is used.
func (s *Screens) maintenanceSentence(ctx context.Context, l *locales.Localizer) string {
	m, err := s.DB.Maintenance(ctx)
	if err != nil {
		s.Log.Error("reading the maintenance text failed", "error", err)
	}
	return "🚧 " + maintenanceMessage(l, m)
}

// tapBoughtNothing says that a refused tap has bought nothing. After a restoration of the database
// that is not certain: what the tap has bought before may be lost.
func (s *Screens) tapBoughtNothing(ctx context.Context, l *locales.Localizer) string {
	if restoration, err := s.DB.Restoration(ctx); err != nil || !restoration.At.IsZero() {
		return l.T("confirm_restored")
	}
	return l.T("buying_nothing")
}

// maintenanceNote is appended to products and cards during maintenance, otherwise "".
func (s *Screens) maintenanceNote(ctx context.Context, l *locales.Localizer) string {
	if err := s.Orders.CanBuy(ctx); !errors.Is(err, orders.ErrMaintenance) {
		return ""
	}
	return "\n\n" + s.maintenanceSentence(ctx, l)
}

// maintenanceSwitch turns maintenance on or off. The button contains the wanted
// state, so that a repeated tap changes nothing.
func (s *Screens) maintenanceSwitch(ctx context.Context, req *bot.Request, args keyboards.SwitchArgs) (bot.View, error) {
	now := time.Now()
	since, action := time.Time{}, actionMaintenanceOff
	if args.On {
		since, action = now, actionMaintenanceOn
	}
	if err := s.DB.SetMaintenance(ctx, since, storage.AuditEntry{AdminID: req.User.ID, Action: action, At: now}); err != nil {
		return bot.View{}, err
	}
	return s.maintenance(ctx, req, struct{}{})
}

// maintenanceText asks for a text of the admins' own.
func (s *Screens) maintenanceText(_ context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	return bot.View{
		Text:     req.L.T("maintenance_ask", locales.Args{"Most": maintenanceLength}),
		Keyboard: keyboards.Foot(req.L, keyboards.Maintenance.Data(struct{}{})),
		Dialog:   dialog(stepMaintenance, ""),
	}, nil
}

func (s *Screens) maintenanceTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	text := strings.TrimSpace(req.Text)
	if n := len([]rune(text)); n == 0 || n > maintenanceLength {
		return askAgain(req.L.T("maintenance_bad", locales.Args{"Most": maintenanceLength}), keyboards.Foot(req.L, keyboards.Maintenance.Data(struct{}{}))), nil
	}
	if err := s.DB.SetMaintenanceText(ctx, text, storage.AuditEntry{AdminID: req.User.ID, Action: actionMaintenanceText, Detail: text, At: time.Now()}); err != nil {
		return bot.View{}, err
	}
	return bot.RedirectTo(keyboards.Maintenance.Data(struct{}{})), nil
}

// maintenanceDefaultText restores the bot's text, which is translated.
func (s *Screens) maintenanceDefaultText(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	if err := s.DB.SetMaintenanceText(ctx, "", storage.AuditEntry{AdminID: req.User.ID, Action: actionMaintenanceText, At: time.Now()}); err != nil {
		return bot.View{}, err
	}
	return s.maintenance(ctx, req, struct{}{})
}

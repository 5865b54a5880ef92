package handlers

import (
	"context"
	"strings"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/ops"
	"hstockbot/internal/route"
	"hstockbot/keyboards"
	"hstockbot/locales"
)

// Steps of the admins' dialogs.
const (
	stepMaintenance     = "maintenance"
	stepPerson          = "person"
	stepAllOrdersPerson = "ordersperson"
	stepAllOrdersDay    = "ordersday"
	stepBalanceWarn     = "threshold"
)

// registerAdmin registers what exists for admins only. This is the list of their
// routes.
func (s *Screens) registerAdmin(b *bot.Bot) {
	b.Command(adminCommand, s.forAdmins(s.adminHomeCommand))

	adminScreen(s, b, keyboards.Admin, s.adminHome)
	adminScreen(s, b, keyboards.Maintenance, s.maintenance)
	adminAction(s, b, keyboards.MaintenanceSwitch, s.maintenanceSwitch, keyboards.MaintenanceSwitch.Data)
	adminScreen(s, b, keyboards.MaintenanceText, s.maintenanceText)
	adminAction(s, b, keyboards.MaintenanceOwn, s.maintenanceOwn, keyboards.MaintenanceOwn.Data)
	adminScreen(s, b, keyboards.PersonFind, s.personFind)
	adminScreen(s, b, keyboards.Person, s.person)
	adminScreen(s, b, keyboards.PersonBlock, s.personBlock)
	adminAction(s, b, keyboards.PersonBlockSure, s.personBlockSure, keyboards.PersonBlockSure.Data)
	adminAction(s, b, keyboards.PersonUnblock, s.personUnblock, keyboards.PersonUnblock.Data)
	adminScreen(s, b, keyboards.AdminLog, s.adminLog)

	adminScreen(s, b, keyboards.AdminOrders, s.allOrders)
	adminScreen(s, b, keyboards.AdminOrdersPerson, s.allOrdersPerson)
	adminScreen(s, b, keyboards.AdminOrdersCategories, s.allOrdersCategories)
	adminScreen(s, b, keyboards.AdminOrdersDays, s.allOrdersDays)
	adminScreen(s, b, keyboards.AdminOrdersTotals, s.allOrdersTotals)
	adminAction(s, b, keyboards.AdminOrdersPicture, s.allOrdersPicture, keyboards.AdminOrdersPicture.Data)
	adminAction(s, b, keyboards.AdminOrdersExport, s.allOrdersExport, keyboards.AdminOrdersExport.Data)
	adminScreen(s, b, keyboards.AdminOrder, s.anyOrder)
	adminScreen(s, b, keyboards.AdminUnresolvedList, s.allUnknown)
	adminScreen(s, b, keyboards.AdminUnresolved, s.anyUnknown)
	adminScreen(s, b, keyboards.BalanceWarn, s.balanceWarn)
	adminAction(s, b, keyboards.BalanceWarnOff, s.balanceWarnOff, keyboards.BalanceWarnOff.Data)
	adminScreen(s, b, keyboards.Broadcasts, s.broadcastList)
	adminScreen(s, b, keyboards.BroadcastWrite, s.broadcastWrite)
	adminScreen(s, b, keyboards.BroadcastText, s.broadcastAsk)
	adminAction(s, b, keyboards.BroadcastRemove, s.broadcastRemove, func(keyboards.LanguageArgs) string { return keyboards.BroadcastWrite.Data(struct{}{}) })
	adminAction(s, b, keyboards.BroadcastPreview, s.broadcastPreview, keyboards.BroadcastPreview.Data)
	adminAction(s, b, keyboards.BroadcastSend, s.broadcastSend, func(keyboards.BroadcastSendArgs) string { return keyboards.Broadcasts.Data(struct{}{}) })
	adminAction(s, b, keyboards.BroadcastDiscard, s.broadcastDiscard, keyboards.BroadcastWrite.Data)
	adminScreen(s, b, keyboards.BroadcastShow, s.broadcastShow)
	adminAction(s, b, keyboards.BroadcastStop, s.broadcastStop, func(keyboards.BroadcastArgs) string { return keyboards.Broadcasts.Data(struct{}{}) })

	b.Step(stepMaintenance, s.forAdmins(s.maintenanceTyped))
	b.Step(stepPerson, s.forAdmins(s.personTyped))
	b.Step(stepAllOrdersPerson, s.forAdmins(s.allOrdersPersonTyped))
	b.Step(stepAllOrdersDay, s.forAdmins(s.allOrdersDayTyped))
	b.Step(stepBalanceWarn, s.forAdmins(s.balanceWarnTyped))
	b.Step(stepBroadcast, s.forAdmins(s.broadcastTyped))
}

// adminScreen registers a screen that exists for admins only: to anyone else its
// buttons are out of date. Who is an admin is checked on every call.
func adminScreen[A any](s *Screens, b *bot.Bot, r route.Route[A], h func(context.Context, *bot.Request, A) (bot.View, error)) {
	bot.Screen(b, r, onlyAdmins(s, h))
}

// adminAction registers an action that exists for admins only.
func adminAction[A any](s *Screens, b *bot.Bot, r route.Route[A], h func(context.Context, *bot.Request, A) (bot.View, error), retry func(A) string) {
	bot.Action(b, r, onlyAdmins(s, h), retry)
}

func onlyAdmins[A any](s *Screens, h func(context.Context, *bot.Request, A) (bot.View, error)) func(context.Context, *bot.Request, A) (bot.View, error) {
	return func(ctx context.Context, req *bot.Request, args A) (bot.View, error) {
		if !s.IsAdmin(req.User.ID) {
			return outdated(ctx, req), nil
		}
		return h(ctx, req, args)
	}
}

// forAdmins wraps a command or a step: to anyone else the command is unknown and
// the answer is ordinary text.
func (s *Screens) forAdmins(h func(context.Context, *bot.Request) (bot.View, error)) func(context.Context, *bot.Request) (bot.View, error) {
	return func(ctx context.Context, req *bot.Request) (bot.View, error) {
		if !s.IsAdmin(req.User.ID) {
			return s.text(ctx, req)
		}
		return h(ctx, req)
	}
}

// adminHome shows how everything is.
func (s *Screens) adminHome(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	l, now := req.L, time.Now()
	census, err := s.DB.Stats(ctx, now, now.UTC().Truncate(24*time.Hour), req.UpdateID)
	if err != nil {
		return bot.View{}, err
	}
	maintenance, err := s.DB.Maintenance(ctx)
	if err != nil {
		return bot.View{}, err
	}
	lines := []string{l.T("admin_title")}
	if maintenance.On() {
		lines = append(lines, "", l.T("maintenance_on", locales.Args{"Since": clock(l, maintenance.Since)}))
	}
	wrong, err := s.wrongNow(ctx, l)
	if err != nil {
		return bot.View{}, err
	}
	if len(wrong) > 0 {
		lines = append(append(lines, ""), wrong...)
	}
	lines = append(lines, "",
		l.T("admin_people", locales.Args{"All": census.People, "New": census.New, "Active": census.Active}),
		l.T("admin_people_gone", locales.Args{"Unreachable": census.Unreachable, "Blocked": census.Blocked}),
		"", l.T("admin_open", locales.Args{"Goods": census.OpenProducts, "SMM": census.OpenSMM, "Numbers": census.OpenSMS, "Unknown": census.OutcomeUnknown}))
	lines = appendSince(lines, l, "admin_oldest", census.OldestOpen)
	lines = append(lines, "", l.T("admin_outbox", locales.Args{"Waiting": census.Pending, "Held": census.Held}))
	lines = appendSince(lines, l, "admin_oldest", census.OldestPending)
	lines = append(lines, "", l.T("admin_inbox", locales.Args{"Unfinished": census.Unfinished, "Parked": census.DeadLettered}))
	lines = appendSince(lines, l, "admin_oldest", census.OldestUnfinished)
	if s.CallStats != nil {
		market, telegram := s.CallStats()
		lines = append(append(lines, ""), trafficLines(l, "admin_market", market)...)
		lines = append(append(lines, ""), trafficLines(l, "admin_telegram", telegram)...)
	}
	lines = append(lines, "", l.T("admin_version", locales.Args{"Version": s.Version}),
		l.T("admin_started", locales.Args{"Time": clock(l, s.began)}))
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.AdminKeyboard(l)}, nil
}

func (s *Screens) adminHomeCommand(ctx context.Context, req *bot.Request) (bot.View, error) {
	s.Announcer.noticeAdmin(ctx, req.User.ID)
	return bot.RedirectTo(keyboards.Admin.Data(struct{}{})), nil
}

func appendSince(lines []string, l *locales.Localizer, id string, t time.Time) []string {
	if t.IsZero() {
		return lines
	}
	return append(lines, l.T(id, locales.Args{"Time": clock(l, t)}))
}

// trafficLines tell how the calls to a service went. id is the message about it.
func trafficLines(l *locales.Localizer, id string, t ops.Snapshot) []string {
	lines := []string{l.T(id, locales.Args{"Calls": t.Calls, "Errors": t.Errors})}
	if t.LastError != "" {
		lines = append(lines, l.T("admin_last_error", locales.Args{"What": l.Name(t.LastError), "Time": clock(l, t.LastErrorAt)}))
	}
	return lines
}

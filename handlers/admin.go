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
	stepMaintenance       = "maintenance"
	stepPerson            = "person"
	stepAdminOrdersPerson = "ordersperson"
	stepAdminOrdersDay    = "ordersday"
	stepBalanceThreshold  = "threshold"
)

// registerAdmin registers the commands, routes and steps that exist for admins only.
func (s *Screens) registerAdmin(b *bot.Bot) {
	b.Command(adminCommand, s.forAdmins(s.adminHomeCommand))

	adminScreen(s, b, keyboards.Admin, s.adminHome)
	adminScreen(s, b, keyboards.Maintenance, s.maintenance)
	adminAction(s, b, keyboards.MaintenanceSwitch, s.maintenanceSwitch, keyboards.MaintenanceSwitch.Data)
	adminScreen(s, b, keyboards.MaintenanceText, s.maintenanceText)
	adminAction(s, b, keyboards.MaintenanceDefaultText, s.maintenanceDefaultText, keyboards.MaintenanceDefaultText.Data)
	adminScreen(s, b, keyboards.PersonFind, s.personFind)
	adminScreen(s, b, keyboards.Person, s.person)
	adminScreen(s, b, keyboards.PersonBlock, s.personBlock)
	adminAction(s, b, keyboards.PersonBlockSure, s.personBlockSure, keyboards.PersonBlockSure.Data)
	adminAction(s, b, keyboards.PersonUnblock, s.personUnblock, keyboards.PersonUnblock.Data)
	adminScreen(s, b, keyboards.AdminLog, s.adminLog)

	adminScreen(s, b, keyboards.AdminOrders, s.adminOrders)
	adminScreen(s, b, keyboards.AdminOrdersPerson, s.adminOrdersPerson)
	adminScreen(s, b, keyboards.AdminOrdersCategories, s.adminOrdersCategories)
	adminScreen(s, b, keyboards.AdminOrdersDays, s.adminOrdersDays)
	adminScreen(s, b, keyboards.AdminOrdersTotals, s.adminOrdersTotals)
	adminScreen(s, b, keyboards.AdminOrdersPicture, s.adminOrdersPicture)
	adminScreen(s, b, keyboards.AdminOrdersExport, s.adminOrdersExport)
	adminScreen(s, b, keyboards.AdminOrder, s.adminOrder)
	adminScreen(s, b, keyboards.AdminUnresolvedList, s.adminUnresolvedList)
	adminScreen(s, b, keyboards.AdminUnresolved, s.adminUnresolved)

	adminScreen(s, b, keyboards.BalanceThreshold, s.balanceThreshold)
	adminAction(s, b, keyboards.BalanceThresholdRemove, s.balanceThresholdRemove, keyboards.BalanceThresholdRemove.Data)

	adminScreen(s, b, keyboards.Broadcasts, s.broadcastList)
	adminScreen(s, b, keyboards.BroadcastWrite, s.broadcastWrite)
	adminScreen(s, b, keyboards.BroadcastText, s.broadcastAsk)
	adminAction(s, b, keyboards.BroadcastRemove, s.broadcastRemove, func(keyboards.LanguageArgs) string { return keyboards.BroadcastWrite.Data(struct{}{}) })
	adminScreen(s, b, keyboards.BroadcastPreview, s.broadcastPreview)
	adminAction(s, b, keyboards.BroadcastSend, s.broadcastSend, func(keyboards.BroadcastSendArgs) string { return keyboards.Broadcasts.Data(struct{}{}) })
	adminAction(s, b, keyboards.BroadcastDiscard, s.broadcastDiscard, keyboards.BroadcastWrite.Data)
	adminScreen(s, b, keyboards.BroadcastShow, s.broadcastShow)
	adminAction(s, b, keyboards.BroadcastStop, s.broadcastStop, func(keyboards.BroadcastArgs) string { return keyboards.Broadcasts.Data(struct{}{}) })

	b.Step(stepMaintenance, s.forAdmins(s.maintenanceTyped))
	b.Step(stepPerson, s.forAdmins(s.personTyped))
	b.Step(stepAdminOrdersPerson, s.forAdmins(s.adminOrdersPersonTyped))
	b.Step(stepAdminOrdersDay, s.forAdmins(s.adminOrdersDayTyped))
	b.Step(stepBalanceThreshold, s.forAdmins(s.balanceThresholdTyped))
	b.Step(stepBroadcast, s.forAdmins(s.broadcastTyped))
}

// adminScreen registers a screen that exists for admins only. For anyone else its
// buttons are out of date. Admin status is checked on every call.
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

// forAdmins wraps a command or a step that exists for admins only. For anyone else
// the command is unknown, and an answer is treated as ordinary text.
func (s *Screens) forAdmins(h func(context.Context, *bot.Request) (bot.View, error)) func(context.Context, *bot.Request) (bot.View, error) {
	return func(ctx context.Context, req *bot.Request) (bot.View, error) {
		if !s.IsAdmin(req.User.ID) {
			return s.text(ctx, req)
		}
		return h(ctx, req)
	}
}

// adminHome shows the state of the bot.
func (s *Screens) adminHome(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	l, now := req.L, time.Now()
	stats, err := s.DB.Stats(ctx, now, now.UTC().Truncate(24*time.Hour), req.UpdateID)
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
	alerts, err := s.activeAlerts(ctx, l)
	if err != nil {
		return bot.View{}, err
	}
	if len(alerts) > 0 {
		lines = append(append(lines, ""), alerts...)
	}
	lines = append(lines, "",
		l.T("admin_people", locales.Args{"All": stats.People, "New": stats.New, "Active": stats.Active}),
		l.T("admin_people_gone", locales.Args{"Unreachable": stats.Unreachable, "Blocked": stats.Blocked}),
		"", l.T("admin_open", locales.Args{"Goods": stats.OpenProducts, "SMM": stats.OpenSMM, "Numbers": stats.OpenSMS, "Unknown": stats.OutcomeUnknown}))
	lines = appendTime(lines, l, "admin_oldest", stats.OldestOpen)
	lines = append(lines, "", l.T("admin_outbox", locales.Args{"Waiting": stats.Pending, "Held": stats.Held}))
	lines = appendTime(lines, l, "admin_oldest", stats.OldestPending)
	lines = append(lines, "", l.T("admin_inbox", locales.Args{"Unfinished": stats.Unfinished, "Parked": stats.DeadLettered}))
	lines = appendTime(lines, l, "admin_oldest", stats.OldestUnfinished)
	if s.CallStats != nil {
		market, telegram := s.CallStats()
		lines = append(append(lines, ""), callStatsLines(l, "admin_market", market)...)
		lines = append(append(lines, ""), callStatsLines(l, "admin_telegram", telegram)...)
	}
	lines = append(lines, "", l.T("admin_version", locales.Args{"Version": s.Version}),
		l.T("admin_started", locales.Args{"Time": clock(l, s.startedAt)}))
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.AdminKeyboard(l)}, nil
}

func (s *Screens) adminHomeCommand(ctx context.Context, req *bot.Request) (bot.View, error) {
	s.Announcer.refreshAdmin(ctx, req.User.ID)
	return bot.RedirectTo(keyboards.Admin.Data(struct{}{})), nil
}

// appendTime appends the message id with the time t, unless t is zero.
func appendTime(lines []string, l *locales.Localizer, id string, t time.Time) []string {
	if t.IsZero() {
		return lines
	}
	return append(lines, l.T(id, locales.Args{"Time": clock(l, t)}))
}

// callStatsLines summarizes the calls to a service with the message id.
func callStatsLines(l *locales.Localizer, id string, stats ops.Snapshot) []string {
	lines := []string{l.T(id, locales.Args{"Calls": stats.Calls, "Errors": stats.Errors})}
	if stats.LastError != "" {
		lines = append(lines, l.T("admin_last_error", locales.Args{"What": l.Name(stats.LastError), "Time": clock(l, stats.LastErrorAt)}))
	}
	return lines
}

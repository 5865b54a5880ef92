package handlers

import (
	"context"
	"strings"
	"time"

	"hstockbot/bot"
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

// attachAdmin registers what exists for admins only. This is the list of their
// routes.
func (s *Screens) attachAdmin() {
	s.adminCommand(adminCommand, s.adminHomeCommand)

	adminScreen(s, keyboards.Admin, s.adminHome)
	adminScreen(s, keyboards.Maintenance, s.maintenance)
	adminScreen(s, keyboards.MaintenanceSwitch, s.maintenanceSwitch)
	adminScreen(s, keyboards.MaintenanceText, s.maintenanceText)
	adminScreen(s, keyboards.MaintenanceOwn, s.maintenanceOwn)
	adminScreen(s, keyboards.PersonFind, s.personFind)
	adminScreen(s, keyboards.Person, s.person)
	adminScreen(s, keyboards.PersonBlock, s.personBlock)
	adminScreen(s, keyboards.PersonBlockSure, s.personBlockSure)
	adminScreen(s, keyboards.PersonUnblock, s.personUnblock)
	adminScreen(s, keyboards.AdminLog, s.adminLog)

	adminScreen(s, keyboards.AdminOrders, s.allOrders)
	adminScreen(s, keyboards.AdminOrdersPerson, s.allOrdersPerson)
	adminScreen(s, keyboards.AdminOrdersCategories, s.allOrdersCategories)
	adminScreen(s, keyboards.AdminOrdersDays, s.allOrdersDays)
	adminScreen(s, keyboards.AdminOrdersTotals, s.allOrdersTotals)
	adminScreen(s, keyboards.AdminOrdersPicture, s.allOrdersPicture)
	adminScreen(s, keyboards.AdminOrdersExport, s.allOrdersExport)
	adminScreen(s, keyboards.AdminOrder, s.anyOrder)
	adminScreen(s, keyboards.AdminUnresolvedList, s.allUnknown)
	adminScreen(s, keyboards.AdminUnresolved, s.anyUnknown)
	adminScreen(s, keyboards.BalanceWarn, s.balanceWarn)
	adminScreen(s, keyboards.BalanceWarnOff, s.balanceWarnOff)
	adminScreen(s, keyboards.Broadcasts, s.broadcastList)
	adminScreen(s, keyboards.BroadcastWrite, s.broadcastWrite)
	adminScreen(s, keyboards.BroadcastText, s.broadcastAsk)
	adminScreen(s, keyboards.BroadcastRemove, s.broadcastRemove)
	adminScreen(s, keyboards.BroadcastPreview, s.broadcastPreview)
	adminScreen(s, keyboards.BroadcastSend, s.broadcastSend)
	adminScreen(s, keyboards.BroadcastDiscard, s.broadcastDiscard)
	adminScreen(s, keyboards.BroadcastShow, s.broadcastShow)
	adminScreen(s, keyboards.BroadcastStop, s.broadcastStop)

	s.adminStep(stepMaintenance, s.maintenanceTyped)
	s.adminStep(stepPerson, s.personTyped)
	s.adminStep(stepAllOrdersPerson, s.allOrdersPersonTyped)
	s.adminStep(stepAllOrdersDay, s.allOrdersDayTyped)
	s.adminStep(stepBalanceWarn, s.balanceWarnTyped)
	s.adminStep(stepBroadcast, s.broadcastTyped)
}

// adminScreen registers a screen that exists for admins only: to anyone else its
// buttons are what forged ones are. Who is one is looked up at every tap.
func adminScreen[A any](s *Screens, r route.Route[A], h func(context.Context, *bot.Request, A) (bot.View, error)) {
	bot.Handle(s.bot, r, func(ctx context.Context, req *bot.Request, args A) (bot.View, error) {
		if !s.admin(req.User.ID) {
			return outdated(ctx, req), nil
		}
		return h(ctx, req, args)
	})
}

// adminCommand registers a command likewise: to anyone else it is one that the
// bot does not have.
func (s *Screens) adminCommand(name string, h func(context.Context, *bot.Request) (bot.View, error)) {
	s.bot.Command(name, s.forAdmins(h))
}

// adminStep registers a step likewise, for who stops being an admin while they
// are asked something.
func (s *Screens) adminStep(name string, h func(context.Context, *bot.Request) (bot.View, error)) {
	s.bot.Step(name, s.forAdmins(h))
}

func (s *Screens) forAdmins(h func(context.Context, *bot.Request) (bot.View, error)) func(context.Context, *bot.Request) (bot.View, error) {
	return func(ctx context.Context, req *bot.Request) (bot.View, error) {
		if !s.admin(req.User.ID) {
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
	if s.Traffic != nil {
		market, telegram := s.Traffic()
		lines = append(append(lines, ""), trafficLines(l, "admin_market", market)...)
		lines = append(append(lines, ""), trafficLines(l, "admin_telegram", telegram)...)
	}
	lines = append(lines, "", l.T("admin_version", locales.Args{"Version": s.Version}),
		l.T("admin_started", locales.Args{"Time": clock(l, s.began)}))
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.AdminKeyboard(l)}, nil
}

func (s *Screens) adminHomeCommand(ctx context.Context, req *bot.Request) (bot.View, error) {
	s.noticeAdmin(ctx, req.User.ID)
	return s.adminHome(ctx, withCallback(req, keyboards.Admin.Data(struct{}{})), struct{}{})
}

func appendSince(lines []string, l *locales.Localizer, id string, t time.Time) []string {
	if t.IsZero() {
		return lines
	}
	return append(lines, l.T(id, locales.Args{"Time": clock(l, t)}))
}

// trafficLines tell how the calls to a service went. id is the message about it.
func trafficLines(l *locales.Localizer, id string, t CallStats) []string {
	lines := []string{l.T(id, locales.Args{"Calls": t.Calls, "Errors": t.Errors})}
	if t.LastError != "" {
		lines = append(lines, l.T("admin_last_error", locales.Args{"What": l.Name(t.LastError), "Time": clock(l, t.LastErrorAt)}))
	}
	return lines
}

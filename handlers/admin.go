package handlers

import (
	"context"
	"math"
	"strings"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/ops"
	"hstockbot/internal/route"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// Steps of the admins' dialogs.
const (
	stepMaintenance       = "maintenance"
	stepPerson            = "person"
	stepAdminOrdersPerson = "ordersperson"
	stepAdminOrdersDay    = "ordersday"
	stepBalanceThreshold  = "threshold"
	stepGreeting          = "greeting"
	stepGreetingLinks     = "greetinglinks"
)

// registerAdmin registers the commands, routes and steps of admins. The staff… ones exist
// for support, too: orders with what they cost, purchases of unknown outcome, and people,
// to whom they may write. Support sees no sums, allowances and ledger, which are the shop's, and no log. It can't
// block people, since a blocked person can do nothing about it.
func (s *Screens) registerAdmin(b *bot.Bot) {
	b.Command(adminCommand, s.forStaff(s.adminHomeCommand))

	staffScreen(s, b, keyboards.Admin, s.adminHome)
	adminScreen(s, b, keyboards.Maintenance, s.maintenance)
	adminAction(s, b, keyboards.MaintenanceSwitch, s.maintenanceSwitch, keyboards.MaintenanceSwitch.Data)
	adminScreen(s, b, keyboards.MaintenanceText, s.maintenanceText)
	adminAction(s, b, keyboards.MaintenanceDefaultText, s.maintenanceDefaultText, keyboards.MaintenanceDefaultText.Data)
	adminAction(s, b, keyboards.Restored, s.restored, keyboards.Restored.Data)
	staffScreen(s, b, keyboards.PersonFind, s.personFind)
	staffScreen(s, b, keyboards.Person, s.person)
	staffScreen(s, b, keyboards.PersonWrite, s.personWrite)
	staffAction(s, b, keyboards.LetterSend, s.letterSend, keyboards.LetterSend.Data)
	adminScreen(s, b, keyboards.PersonBlock, s.personBlock)
	adminAction(s, b, keyboards.PersonBlockSure, s.personBlockSure, keyboards.PersonBlockSure.Data)
	adminAction(s, b, keyboards.PersonUnblock, s.personUnblock, keyboards.PersonUnblock.Data)
	adminScreen(s, b, keyboards.AdminLog, s.adminLog)

	b.Command(hereCommand, s.forAdmins(s.hereInPrivate))
	adminScreen(s, b, keyboards.Room, s.room)
	adminAction(s, b, keyboards.RoomChoose, s.roomChoose, keyboards.RoomChoose.Data)
	adminAction(s, b, keyboards.RoomTest, s.roomTest, keyboards.RoomTest.Data)
	adminScreen(s, b, keyboards.RoomHour, s.roomHour)
	adminAction(s, b, keyboards.RoomHourSet, s.roomHourSet, keyboards.RoomHourSet.Data)
	adminScreen(s, b, keyboards.RoomUnbind, s.roomUnbind)
	adminAction(s, b, keyboards.RoomUnbindSure, s.roomUnbindSure, keyboards.RoomUnbindSure.Data)
	adminScreen(s, b, keyboards.Allowance, s.allowanceScreen)
	adminScreen(s, b, keyboards.AllowanceAmount, s.allowanceAmount)
	adminScreen(s, b, keyboards.AllowanceMarkup, s.allowanceMarkup)
	adminScreen(s, b, keyboards.AllowanceTerms, s.allowanceTerms)
	adminAction(s, b, keyboards.AllowanceGive, s.allowanceGive, keyboards.AllowanceTerms.Data)
	adminScreen(s, b, keyboards.AllowanceRemove, s.allowanceRemove)
	adminAction(s, b, keyboards.AllowanceRemoveSure, s.allowanceRemoveSure, keyboards.AllowanceRemove.Data)
	adminScreen(s, b, keyboards.AllowanceChoose, s.allowanceChoose)
	adminScreen(s, b, keyboards.AllowanceLinks, s.allowanceLinks)
	adminAction(s, b, keyboards.AllowanceRevoke, s.allowanceRevoke, func(keyboards.AllowanceLinkArgs) string { return keyboards.AllowanceLinks.Data(struct{}{}) })
	adminScreen(s, b, keyboards.Ledger, s.ledger)
	adminScreen(s, b, keyboards.LedgerDays, s.ledgerDays)
	adminScreen(s, b, keyboards.LedgerPerson, s.ledgerPerson)
	adminAction(s, b, keyboards.LedgerExport, s.ledgerExport, keyboards.LedgerExport.Data)
	adminScreen(s, b, keyboards.HouseAdopt, s.houseAdopt)
	adminAction(s, b, keyboards.HouseAdoptSure, s.houseAdoptSure, nil)
	adminScreen(s, b, keyboards.HouseDismiss, s.houseDismiss)
	adminAction(s, b, keyboards.HouseDismissSure, s.houseDismissSure, nil)

	staffScreen(s, b, keyboards.AdminOrders, s.adminOrders)
	staffScreen(s, b, keyboards.AdminOrdersPerson, s.adminOrdersPerson)
	staffScreen(s, b, keyboards.AdminOrdersCategories, s.adminOrdersCategories)
	staffScreen(s, b, keyboards.AdminOrdersDays, s.adminOrdersDays)
	adminScreen(s, b, keyboards.AdminOrdersTotals, s.adminOrdersTotals)
	adminAction(s, b, keyboards.AdminOrdersPicture, s.adminOrdersPicture, keyboards.AdminOrdersPicture.Data)
	adminAction(s, b, keyboards.AdminOrdersExport, s.adminOrdersExport, keyboards.AdminOrdersExport.Data)
	staffScreen(s, b, keyboards.AdminOrder, s.adminOrder)
	staffScreen(s, b, keyboards.AdminUnresolvedList, s.adminUnresolvedList)
	staffScreen(s, b, keyboards.AdminUnresolved, s.adminUnresolved)

	adminScreen(s, b, keyboards.BalanceThreshold, s.balanceThreshold)
	adminAction(s, b, keyboards.BalanceThresholdRemove, s.balanceThresholdRemove, keyboards.BalanceThresholdRemove.Data)

	adminScreen(s, b, keyboards.Channel, s.channel)
	adminScreen(s, b, keyboards.ChannelChoose, s.channelChoose)
	adminScreen(s, b, keyboards.ChannelUnbind, s.channelUnbind)
	adminAction(s, b, keyboards.ChannelUnbindSure, s.channelUnbindSure, func(struct{}) string { return keyboards.Channel.Data(struct{}{}) })
	adminAction(s, b, keyboards.ChannelRestocks, s.channelRestocks, keyboards.ChannelRestocks.Data)
	adminScreen(s, b, keyboards.ChannelDrops, s.channelDrops)
	adminAction(s, b, keyboards.ChannelDrop, s.channelDrop, keyboards.ChannelDrop.Data)
	adminScreen(s, b, keyboards.ChannelCategories, s.channelCategories)
	adminAction(s, b, keyboards.ChannelCategory, s.channelCategory, keyboards.ChannelCategory.Data)
	adminAction(s, b, keyboards.ChannelAllCategories, s.channelAllCategories, keyboards.ChannelAllCategories.Data)

	adminScreen(s, b, keyboards.Broadcasts, s.broadcastList)
	adminScreen(s, b, keyboards.BroadcastWrite, s.broadcastWrite)
	adminScreen(s, b, keyboards.BroadcastText, s.broadcastAsk)
	adminAction(s, b, keyboards.BroadcastRemove, s.broadcastRemove, func(keyboards.LanguageArgs) string { return keyboards.BroadcastWrite.Data(struct{}{}) })
	adminAction(s, b, keyboards.BroadcastPreview, s.broadcastPreview, keyboards.BroadcastPreview.Data)
	adminAction(s, b, keyboards.BroadcastSend, s.broadcastSend, func(keyboards.BroadcastSendArgs) string { return keyboards.Broadcasts.Data(struct{}{}) })
	adminAction(s, b, keyboards.BroadcastDiscard, s.broadcastDiscard, keyboards.BroadcastWrite.Data)
	adminScreen(s, b, keyboards.BroadcastShow, s.broadcastShow)
	adminAction(s, b, keyboards.BroadcastStop, s.broadcastStop, func(keyboards.BroadcastArgs) string { return keyboards.Broadcasts.Data(struct{}{}) })

	adminScreen(s, b, keyboards.Greetings, s.greetingLanguages)
	adminScreen(s, b, keyboards.GreetingShow, s.greetingShow)
	adminScreen(s, b, keyboards.GreetingText, s.greetingTextAsk)
	adminScreen(s, b, keyboards.GreetingLinks, s.greetingLinksAsk)
	adminAction(s, b, keyboards.GreetingPreview, s.greetingPreview, keyboards.GreetingPreview.Data)
	adminAction(s, b, keyboards.GreetingTextRemove, s.greetingTextRemove, keyboards.GreetingTextRemove.Data)
	adminAction(s, b, keyboards.GreetingLinksRemove, s.greetingLinksRemove, keyboards.GreetingLinksRemove.Data)

	b.Step(stepMaintenance, s.forAdmins(s.maintenanceTyped))
	b.Step(stepRoom, s.forAdmins(s.roomChosen))
	b.Step(stepRoomHour, s.forAdmins(s.roomHourTyped))
	b.Step(stepPerson, s.forStaff(s.personTyped))
	b.Step(stepLetter, s.forStaff(s.letterTyped))
	b.Step(stepAdminOrdersPerson, s.forStaff(s.adminOrdersPersonTyped))
	b.Step(stepAdminOrdersDay, s.forStaff(s.adminOrdersDayTyped))
	b.Step(stepBalanceThreshold, s.forAdmins(s.balanceThresholdTyped))
	b.Step(stepAllowanceAmount, s.forAdmins(s.allowanceAmountTyped))
	b.Step(stepAllowanceMarkup, s.forAdmins(s.allowanceMarkupTyped))
	b.Step(stepAllowancePerson, s.forAdmins(s.allowancePersonTyped))
	b.Step(stepHouseID, s.forAdmins(s.houseIDTyped))
	b.Step(stepBroadcast, s.forAdmins(s.broadcastTyped))
	b.Step(stepGreeting, s.forAdmins(s.greetingTyped))
	b.Step(stepGreetingLinks, s.forAdmins(s.greetingLinksTyped))
	b.Step(stepChannel, s.forAdmins(s.channelChosen))
	b.Step(stepChannelDrop, s.forAdmins(s.channelDropTyped))
}

// adminScreen registers a screen that exists for admins only. For anyone else its
// buttons are out of date. Rights are checked on every call.
func adminScreen[A any](s *Screens, b *bot.Bot, r route.Route[A], h func(context.Context, *bot.Request, A) (bot.View, error)) {
	bot.Screen(b, r, onlyFor(s.IsAdmin, h))
}

// adminAction registers an action that exists for admins only.
func adminAction[A any](s *Screens, b *bot.Bot, r route.Route[A], h func(context.Context, *bot.Request, A) (bot.View, error), retry func(A) string) {
	bot.Action(b, r, onlyFor(s.IsAdmin, h), retry)
}

// staffScreen registers a screen that exists for admins and support.
func staffScreen[A any](s *Screens, b *bot.Bot, r route.Route[A], h func(context.Context, *bot.Request, A) (bot.View, error)) {
	bot.Screen(b, r, onlyFor(s.IsStaff, h))
}

// staffAction registers an action that exists for admins and support.
func staffAction[A any](s *Screens, b *bot.Bot, r route.Route[A], h func(context.Context, *bot.Request, A) (bot.View, error), retry func(A) string) {
	bot.Action(b, r, onlyFor(s.IsStaff, h), retry)
}

func onlyFor[A any](may func(userID int64) bool, h func(context.Context, *bot.Request, A) (bot.View, error)) func(context.Context, *bot.Request, A) (bot.View, error) {
	return func(ctx context.Context, req *bot.Request, args A) (bot.View, error) {
		if !may(req.User.ID) {
			return outdated(ctx, req), nil
		}
		return h(ctx, req, args)
	}
}

// forAdmins wraps a command or a step that exists for admins only. For anyone else
// the command is unknown, and an answer is treated as ordinary text.
func (s *Screens) forAdmins(h func(context.Context, *bot.Request) (bot.View, error)) func(context.Context, *bot.Request) (bot.View, error) {
	return s.textFor(s.IsAdmin, h)
}

// forStaff is forAdmins for admins and support.
func (s *Screens) forStaff(h func(context.Context, *bot.Request) (bot.View, error)) func(context.Context, *bot.Request) (bot.View, error) {
	return s.textFor(s.IsStaff, h)
}

func (s *Screens) textFor(may func(userID int64) bool, h func(context.Context, *bot.Request) (bot.View, error)) func(context.Context, *bot.Request) (bot.View, error) {
	return func(ctx context.Context, req *bot.Request) (bot.View, error) {
		if !may(req.User.ID) {
			return s.text(ctx, req)
		}
		return h(ctx, req)
	}
}

// adminHome shows the state of the bot. Support sees what concerns purchases.
func (s *Screens) adminHome(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	l, now, isAdmin := req.L, time.Now(), s.IsAdmin(req.User.ID)
	stats, err := s.DB.Stats(ctx, now, s.DB.DayBegins(s.DB.Day(now)), req.UpdateID)
	if err != nil {
		return bot.View{}, err
	}
	maintenance, err := s.DB.Maintenance(ctx)
	if err != nil {
		return bot.View{}, err
	}
	restoration, err := s.DB.Restoration(ctx)
	if err != nil {
		return bot.View{}, err
	}
	lines := []string{l.T("admin_title")}
	if !isAdmin {
		lines[0] = l.T("support_title")
	}
	if maintenance.On() {
		lines = append(lines, "", l.T("maintenance_on", locales.Args{"Since": clock(l, maintenance.Since)}))
	}
	alerts, err := s.activeAlerts(ctx, l, isAdmin)
	if err != nil {
		return bot.View{}, err
	}
	if len(alerts) > 0 {
		lines = append(append(lines, ""), alerts...)
	}
	open := appendTime([]string{
		"",
		l.T("admin_open", locales.Args{"Goods": stats.OpenProducts, "SMM": stats.OpenSMM, "Numbers": stats.OpenSMS, "Unknown": stats.OutcomeUnknown}),
	}, l, "admin_oldest", stats.OldestOpen)
	if !isAdmin {
		return bot.View{Text: strings.Join(append(lines, open...), "\n"), Keyboard: keyboards.StaffKeyboard(l)}, nil
	}
	sources, err := s.sourcesLines(ctx, l)
	if err != nil {
		return bot.View{}, err
	}
	lines = append(lines, "",
		l.T("admin_people", locales.Args{"All": stats.People, "New": stats.New, "Active": stats.Active}),
		l.T("admin_people_gone", locales.Args{"Unreachable": stats.Unreachable, "Blocked": stats.Blocked}))
	lines = append(append(lines, sources...), open...)
	lines = append(lines, "", l.T("admin_outbox", locales.Args{"Waiting": stats.Pending, "Held": stats.Held}))
	lines = appendTime(lines, l, "admin_oldest", stats.OldestPending)
	lines = append(lines, "", l.T("admin_inbox", locales.Args{"Unfinished": stats.Unfinished, "Parked": stats.DeadLettered}))
	lines = appendTime(lines, l, "admin_oldest", stats.OldestUnfinished)
	if s.CallStats != nil {
		market, telegram := s.CallStats()
		lines = append(append(lines, ""), callStatsLines(l, "admin_market", market)...)
		lines = append(lines, s.callRateLines(l)...)
		lines = append(append(lines, ""), callStatsLines(l, "admin_telegram", telegram)...)
	}
	lines = append(lines, "", l.T("admin_version", locales.Args{"Version": s.Version}),
		l.T("admin_started", locales.Args{"Time": clock(l, s.startedAt)}))
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.AdminKeyboard(l, restoration.At)}, nil
}

// restored records that an admin has looked at what a restored database lacks.
func (s *Screens) restored(ctx context.Context, req *bot.Request, args keyboards.RestoredArgs) (bot.View, error) {
	entry := storage.AuditEntry{AdminID: req.User.ID, Action: actionRestored, At: time.Now()}
	if err := s.DB.EndRestoration(ctx, time.UnixMilli(args.At), entry); err != nil {
		return bot.View{}, err
	}
	return s.adminHome(ctx, req, struct{}{})
}

func (s *Screens) adminHomeCommand(ctx context.Context, req *bot.Request) (bot.View, error) {
	s.Announcer.refreshStaff(ctx, req.User.ID)
	return bot.RedirectTo(keyboards.Admin.Data(struct{}{})), nil
}

// shownSources is how many links the admins' home names.
const shownSources = 10

// sourcesLines says how many new people came by which link, if any did.
func (s *Screens) sourcesLines(ctx context.Context, l *locales.Localizer) ([]string, error) {
	sources, err := s.DB.Sources(ctx)
	if err != nil || len(sources) == 0 {
		return nil, err
	}
	var parts []string
	for _, source := range sources[:min(len(sources), shownSources)] {
		parts = append(parts, l.Name(source.Name)+" "+l.Number(source.People))
	}
	if len(sources) > shownSources {
		parts = append(parts, "…")
	}
	return []string{l.T("admin_sources", locales.Args{"List": strings.Join(parts, " · ")})}, nil
}

// appendTime appends the message id with the time t, unless t is zero.
func appendTime(lines []string, l *locales.Localizer, id string, t time.Time) []string {
	if t.IsZero() {
		return lines
	}
	return append(lines, l.T(id, locales.Args{"Time": clock(l, t)}))
}

// callRateLines say how often the marketplace is called, and how often it allowed it.
func (s *Screens) callRateLines(l *locales.Localizer) (lines []string) {
	most := s.CallRate.Most()
	if most == 0 {
		return nil
	}
	state := s.CallRate.State()
	lines = append(lines, l.T("admin_call_rate", locales.Args{"Rate": whole(state.Rate), "Most": whole(most)}))
	if state.Limit > 0 {
		lines = append(lines, l.T("admin_call_limit", locales.Args{"Limit": whole(state.Limit)}))
	}
	return lines
}

// whole returns a rate as a whole number, at least 1.
func whole(perSecond float64) int64 { return max(1, int64(math.Round(perSecond))) }

// callStatsLines summarizes the calls to a service with the message id.
func callStatsLines(l *locales.Localizer, id string, stats ops.Snapshot) []string {
	lines := []string{l.T(id, locales.Args{"Calls": stats.Calls, "Errors": stats.Errors})}
	if stats.LastError != "" {
		lines = append(lines, l.T("admin_last_error", locales.Args{"What": l.Name(stats.LastError), "Time": clock(l, stats.LastErrorAt)}))
	}
	return lines
}

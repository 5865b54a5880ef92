package handlers

import (
	"context"
	"errors"
	"strings"

	"hstockbot/bot"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// Values of storage.AuditEntry.Action; the database contains them. Each has a message
// action_<action> with the placeholders Subject (an id) and Detail, and may have
// action_<action>_of for entries with a subject, and action_<action>_none for entries
// without a detail.
const (
	actionMaintenanceOn    = "maintenance_on"
	actionMaintenanceOff   = "maintenance_off"
	actionMaintenanceText  = "maintenance_text"
	actionRestored         = "restored"
	actionBlock            = "block"
	actionUnblock          = "unblock"
	actionBalanceThreshold = "threshold"
	actionOrdersExport     = "export"
	actionLetter           = "letter"
	actionAllowance        = "allowance"
	actionAllowanceRemove  = "noallowance"
	actionAllowanceLink    = "invite"
	actionAllowanceRevoke  = "uninvite"
	actionAllowanceUsed    = "invited"
	actionLedger           = "ledger"
	actionHouseAdopt       = "adopt"
	actionHouseDismiss     = "notplaced"
	// Those of the room are in package room; the bot itself is admin 0.

	// Their detail is the language.
	actionGreeting             = "greeting"
	actionGreetingRemoved      = "greetingoff"
	actionGreetingLinks        = "links"
	actionGreetingLinksRemoved = "linksoff"
)

// adminLog shows the audit log, newest first.
func (s *Screens) adminLog(ctx context.Context, req *bot.Request, args keyboards.PageArgs) (bot.View, error) {
	l := req.L
	entries, total, err := s.DB.AuditLog(ctx, keyboards.PageSize, int(args.Page)*keyboards.PageSize)
	if err == nil && len(entries) == 0 && total > 0 { // the log has become shorter
		args.Page = keyboards.PageArg(keyboards.ClampPage(int(args.Page), total))
		entries, total, err = s.DB.AuditLog(ctx, keyboards.PageSize, int(args.Page)*keyboards.PageSize)
	}
	if err != nil {
		return bot.View{}, err
	}
	lines := []string{l.T("adminlog_title")}
	if total == 0 {
		lines = append(lines, "", l.T("adminlog_empty"))
	}
	names := map[int64]string{}
	for _, entry := range entries {
		name, known := names[entry.AdminID]
		if !known {
			if name, err = s.adminName(ctx, entry.AdminID); err != nil {
				return bot.View{}, err
			}
			names[entry.AdminID] = name
		}
		lines = append(lines, "", l.T("adminlog_line", locales.Args{
			"Time": clock(l, entry.At), "Who": authorLabel(l, entry.AdminID, name), "Deed": locales.HTML(auditText(l, entry)),
		}))
	}
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.AdminLogKeyboard(l, args.Page, total)}, nil
}

// authorLabel names who has done something: an admin, or the bot itself.
func authorLabel(l *locales.Localizer, id int64, name string) string {
	if id == 0 {
		return l.Label("adminlog_bot")
	}
	return personLabel(l, id, name)
}

// adminName returns the first name of an admin, "" if their data was deleted.
func (s *Screens) adminName(ctx context.Context, id int64) (string, error) {
	user, err := s.DB.User(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return "", nil
	}
	return user.Name, err
}

// auditText returns an audit entry as HTML.
func auditText(l *locales.Localizer, entry storage.AuditEntry) string {
	id := "action_" + entry.Action
	switch {
	case entry.Detail == "" && l.Has(id+"_none"):
		id += "_none"
	case entry.Subject != 0 && l.Has(id+"_of"):
		id += "_of"
	}
	subject := locales.HTML(locales.Escape(l.Label("adminorders_forgotten")))
	if entry.Subject != 0 {
		subject = personCode(l, entry.Subject)
	}
	return l.T(id, locales.Args{"Subject": subject, "Detail": l.Name(locales.Shorten(entry.Detail, nameLength))})
}

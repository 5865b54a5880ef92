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

// What admins do, as it is written down: storage.AuditEntry.What. Each has a message
// deed_<word>, whose placeholders are Subject (an id) and Detail; and perhaps one
// for when it is of a person, deed_<word>_of, and one without a detail, deed_<word>_none.
const (
	actionMaintenanceOn    = "maintenance_on"
	actionMaintenanceOff   = "maintenance_off"
	actionMaintenanceText  = "maintenance_text"
	actionBlock            = "block"
	actionUnblock          = "unblock"
	actionBalanceThreshold = "threshold"
	actionOrdersExport     = "export"
)

// adminLog shows what admins have done, the newest first.
func (s *Screens) adminLog(ctx context.Context, req *bot.Request, args keyboards.PageArgs) (bot.View, error) {
	l := req.L
	page := int(args.Page)
	deeds, total, err := s.DB.AuditLog(ctx, keyboards.PageSize, page*keyboards.PageSize)
	if err == nil && len(deeds) == 0 && total > 0 { // it has become shorter
		page = keyboards.ClampPage(page, total)
		deeds, total, err = s.DB.AuditLog(ctx, keyboards.PageSize, page*keyboards.PageSize)
	}
	if err != nil {
		return bot.View{}, err
	}
	lines := []string{l.T("adminlog_title")}
	if total == 0 {
		lines = append(lines, "", l.T("adminlog_empty"))
	}
	names := map[int64]string{}
	for _, deed := range deeds {
		name, known := names[deed.AdminID]
		if !known {
			if name, err = s.adminName(ctx, deed.AdminID); err != nil {
				return bot.View{}, err
			}
			names[deed.AdminID] = name
		}
		lines = append(lines, "", l.T("adminlog_line", locales.Args{
			"Time": clock(l, deed.At), "Who": personLabel(l, deed.AdminID, name), "Deed": locales.HTML(auditText(l, deed)),
		}))
	}
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.AdminLogKeyboard(l, page, total)}, nil
}

// adminName is the first name of an admin, "" of one who is not here any more.
func (s *Screens) adminName(ctx context.Context, id int64) (string, error) {
	user, err := s.DB.User(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return "", nil
	}
	return user.Name, err
}

func auditText(l *locales.Localizer, deed storage.AuditEntry) string {
	id := "deed_" + deed.Action
	switch {
	case deed.Detail == "" && l.Has(id+"_none"):
		id += "_none"
	case deed.Subject != 0 && l.Has(id+"_of"):
		id += "_of"
	}
	subject := locales.HTML(locales.Escape(l.Label("allorders_forgotten")))
	if deed.Subject != 0 {
		subject = personCode(l, deed.Subject)
	}
	return l.T(id, locales.Args{"Subject": subject, "Detail": l.Name(shorten(deed.Detail, nameLength))})
}

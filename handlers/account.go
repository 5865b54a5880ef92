package handlers

import (
	"context"
	"math"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/credentials"
	"hstockbot/internal/redact"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// accountButtons returns what can be copied of accounts: the whole if wholes is set, and
// the parts if the split is certain. positions are their places in the marketplace's
// answer, nil if they are not known.
func accountButtons(accounts []redact.Secret, positions []int, wholes bool) []keyboards.Account {
	buttons := make([]keyboards.Account, len(accounts))
	numbers := numbersOf(len(accounts), positions)
	table, certain := credentials.Split(accounts)
	for i, account := range accounts {
		buttons[i].Number = int64(numbers[i])
		if wholes {
			buttons[i].Whole = account.Reveal()
		}
		if !certain {
			continue
		}
		for column, kind := range table.Kinds {
			part := table.Rows[i][column]
			text := part.Reveal()
			if !plainText(text) { // Telegram would copy something else
				text = ""
			}
			switch kind {
			case credentials.Login:
				buttons[i].Login = text
			case credentials.Password:
				buttons[i].Password = text
			case credentials.Recovery:
				buttons[i].Recovery = text
			case credentials.Secret:
				_, ok := credentials.ParseTOTP(part)
				if ok && positions != nil && positions[i] <= math.MaxUint16 {
					buttons[i].Code, buttons[i].Position = true, uint16(positions[i]) //nolint:gosec // compared above
				}
			}
		}
	}
	return buttons
}

// positionsOf returns the places of all accounts of an answer.
func positionsOf(accounts []redact.Secret) []int {
	positions := make([]int, len(accounts))
	for i := range positions {
		positions[i] = i
	}
	return positions
}

// columnsView is the second file of several accounts: their parts in columns. It is empty
// if the split is not certain.
func columnsView(l *locales.Localizer, o storage.Order, accounts []redact.Secret) (bot.View, error) {
	if len(accounts) < 2 {
		return bot.View{}, nil
	}
	table, certain := credentials.Split(accounts)
	if !certain {
		return bot.View{}, nil
	}
	headings := make([]string, len(table.Kinds))
	for i, kind := range table.Kinds {
		switch kind {
		case credentials.Login:
			headings[i] = l.Label("account_column_login")
		case credentials.Password:
			headings[i] = l.Label("account_column_password")
		case credentials.Recovery:
			headings[i] = l.Label("account_column_recovery")
		case credentials.Secret:
			headings[i] = l.Label("account_column_secret")
		default:
			headings[i] = l.Label("account_column_other", locales.Args{"N": l.Number(int64(i + 1))})
		}
	}
	file, err := table.XLSX(headings)
	if err != nil || file == nil {
		return bot.View{}, err
	}
	return bot.View{
		Text:     l.T("account_columns", locales.Args{"Number": externalID(l, o.ExternalID)}),
		Document: &bot.Document{Name: fileName("order", o.ExternalID, ".xlsx"), Data: file},
	}, nil
}

// accountCode shows the code of an account's second factor in a new message. The account
// is not stored here, so it is read again.
func (s *Screens) accountCode(ctx context.Context, req *bot.Request, args keyboards.AccountArgs) (bot.View, error) {
	return inNewMessage(s.accountCodeRefresh(ctx, req, args))
}

// accountCodeRefresh shows the present code in the tapped message.
func (s *Screens) accountCodeRefresh(ctx context.Context, req *bot.Request, args keyboards.AccountArgs) (bot.View, error) {
	_, accounts, err := s.Orders.Accounts(ctx, req.User.ID, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	login, totp, found := secondFactor(accounts, int(args.Position))
	if !found {
		return bot.View{}, userErr("account_code_gone")
	}
	l := req.L
	digits, valid := totp.Code(time.Now())
	return bot.View{
		Text: l.T("account_code_title", locales.Args{"Code": code(l, digits.Reveal())}) + "\n" +
			l.T("account_code_for", locales.Args{"Login": code(l, login.Reveal())}) + "\n\n" +
			l.N("account_code_valid", int64(math.Ceil(valid.Seconds()))),
		Keyboard: keyboards.AccountCodeKeyboard(l, args, digits.Reveal()),
	}, nil
}

// secondFactor finds the login and the second factor of an account. Its split was certain
// among the accounts of its message, which may be all of the order or only this one.
func secondFactor(accounts []redact.Secret, position int) (login redact.Secret, totp credentials.TOTP, found bool) {
	if position >= len(accounts) {
		return "", credentials.TOTP{}, false
	}
	table, certain := credentials.Split(accounts)
	if !certain {
		table, certain = credentials.Split(accounts[position : position+1])
		position = 0
	}
	if !certain {
		return "", credentials.TOTP{}, false
	}
	row := table.Rows[position]
	for column, kind := range table.Kinds {
		if kind == credentials.Secret {
			totp, found = credentials.ParseTOTP(row[column])
		}
	}
	return row[0], totp, found
}

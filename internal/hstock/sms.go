package hstock

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"strings"

	"hstockbot/internal/redact"
)

// SMSProjects returns the websites whose codes numbers of a country can receive;
// country "" is all countries (HStockPlus: sms_projects).
func (c *Client) SMSProjects(ctx context.Context, key redact.Secret, country, lang string) ([]SMSProject, error) {
	projects, err := read(ctx, c, newCall("sms_projects", key, "country", country, "lang", langParam(lang)), decodeSMSProjects)
	currency, _ := c.knownCurrency(key)
	for i := range projects {
		projects[i].Currency = cmp.Or(projects[i].Currency, currency)
	}
	return projects, err
}

// ProjectsIn returns the projects of an answer that belong to a country. The document
// does not promise that the marketplace applies the filter, nor that CountryID is
// the country's code. If no project has the code but all have the same CountryID,
// that is taken to be the requested country.
func ProjectsIn(country string, projects []SMSProject) []SMSProject {
	var own []SMSProject
	sameCountry := true
	for _, project := range projects {
		if project.CountryID == "" || strings.EqualFold(project.CountryID, country) {
			own = append(own, project)
		}
		sameCountry = sameCountry && project.CountryID == projects[0].CountryID
	}
	if len(own) == 0 && sameCountry {
		return projects
	}
	return own
}

// SMSCountries returns the countries in which numbers are offered (HStockPlus:
// sms_countries).
func (c *Client) SMSCountries(ctx context.Context, key redact.Secret, lang string) ([]SMSCountry, error) {
	return read(ctx, c, newCall("sms_countries", key, "lang", langParam(lang)), decodeSMSCountries)
}

// AddSMS rents numbers, possibly fewer than requested. It is sent once, like Add
// (HStockPlus: add_sms).
func (c *Client) AddSMS(ctx context.Context, key redact.Secret, r AddSMSRequest) ([]SMSNumber, error) {
	q := newCall(
		"add_sms", key,
		"project_id", r.ProjectID,
		"quantity", formatPositive(r.Quantity),
		"country", r.Country,
		"phone", r.Phone,
	)
	q.sendBefore = r.SendBefore
	return purchase(ctx, c, q, decodeSMSNumbers)
}

// SMSCode returns what a number has received (HStockPlus: sms_code). A refusal that
// says that the code has not come is SMSWaiting.
func (c *Client) SMSCode(ctx context.Context, key redact.Secret, order string) (SMSCode, error) {
	code, err := read(ctx, c, newCall("sms_code", key, "order", order), decodeSMSCode)
	if words, notYet := notYetOf(err); notYet {
		return SMSCode{State: SMSWaiting, Message: words}, nil
	}
	return code, err
}

// SMSStatus returns the state of a rented number (HStockPlus: sms_status). A refusal
// that says that the code has not come is SMSWaiting.
func (c *Client) SMSStatus(ctx context.Context, key redact.Secret, order string) (SMSStatus, error) {
	status, err := read(ctx, c, newCall("sms_status", key, "order", order), decodeSMSStatus)
	if _, notYet := notYetOf(err); notYet {
		return SMSStatus{State: SMSWaiting}, nil
	}
	return status, err
}

func notYetOf(err error) (words string, notYet bool) {
	var failure *Error
	if !errors.As(err, &failure) || failure.Kind != RefusedOther {
		return "", false
	}
	return failure.Refusal, isNotYet(failure.Refusal)
}

func decodeSMSProjects(body []byte) ([]SMSProject, bool) {
	answer, ok := decodeList[struct {
		ProjectID    text `json:"project_id"`
		Name         name
		Price        money
		CountryID    text `json:"country_id"`
		CountryTitle name `json:"country_title"`
	}](body, "projects", "data")
	if !ok {
		return nil, false
	}
	projects := make([]SMSProject, 0, len(answer.elements))
	for _, e := range answer.elements {
		price, priced := e.Price.price()
		if e.ProjectID == "" || !priced { // a missing price must not be displayed as 0
			continue
		}
		projects = append(projects, SMSProject{
			ID: string(e.ProjectID), Name: string(e.Name), Price: price, Currency: e.Price.currency,
			CountryID: string(e.CountryID), CountryTitle: string(e.CountryTitle),
		})
	}
	return projects, len(projects) > 0 || len(answer.elements) == 0
}

func decodeSMSCountries(body []byte) ([]SMSCountry, bool) {
	answer, ok := decodeList[struct {
		Code text `json:"country_code"`
		Name name `json:"country_name"`
	}](body, "countries", "data")
	if !ok {
		return nil, false
	}
	countries := make([]SMSCountry, 0, len(answer.elements))
	for _, e := range answer.elements {
		if e.Code != "" {
			countries = append(countries, SMSCountry{Code: string(e.Code), Name: string(e.Name)})
		}
	}
	return countries, len(countries) > 0 || len(answer.elements) == 0
}

type numberJSON struct {
	orderJSON
	Phone   phone
	Country text
	Status  word
}

// decodeSMSNumbers returns each order once. An answer without orders does not prove
// that numbers were rented. A single number may come without a list.
func decodeSMSNumbers(body []byte) ([]SMSNumber, bool) {
	answer, listed := decodeList[numberJSON](body, "orders", "numbers", "data")
	if !listed {
		answer.elements = make([]numberJSON, 1)
		unmarshal(body, &answer.elements[0])
	}
	var numbers []SMSNumber
	seen := make(map[string]bool, len(answer.elements))
	for _, e := range answer.elements {
		id := e.id()
		if id == "" || seen[id] {
			continue
		}
		seen[id] = true
		numbers = append(numbers, SMSNumber{
			Order: id, Phone: string(e.Phone), Country: string(e.Country), RawStatus: string(e.Status),
		})
	}
	return numbers, len(numbers) > 0
}

func decodeSMSCode(body []byte) (SMSCode, bool) {
	var answer struct {
		Status     word
		Code       codes[smsCode]
		SMSContent codes[text] `json:"sms_content"`
		Message    word
	}
	if !unmarshal(body, &answer) {
		return SMSCode{}, false
	}
	state, received, ok := receivedSMS(answer.Status, answer.Code, answer.SMSContent)
	code := SMSCode{State: state, RawStatus: string(answer.Status), Message: string(answer.Message)}
	if last := len(received) - 1; last >= 0 {
		code.Code, code.Content = received[last].Code, received[last].Content
		code.Earlier = received[:last:last]
	}
	if len(code.Earlier) == 0 {
		code.Earlier = nil
	}
	return code, ok
}

// receivedSMS returns the state of a number and its SMS, and whether the answer has a
// state or an SMS. An SMS without a state means SMSReceived, and so does one of a
// number that is SMSEnded: "finished" is how some call it.
func receivedSMS(status word, numbers codes[smsCode], contents codes[text]) (state SMSState, received []SMS, ok bool) {
	state = ParseSMSState(string(status))
	for i := range max(len(numbers), len(contents)) {
		var sms SMS
		if i < len(contents) && !isPlaceholder(string(contents[i])) {
			sms.Content = redact.Secret(contents[i])
		}
		if i < len(numbers) {
			sms.Code = redact.Secret(withZeros(string(numbers[i]), sms.Content.Reveal()))
		}
		if sms != (SMS{}) && !isWaitingPlaceholder(state, string(status), sms) {
			received = append(received, sms)
		}
	}
	if len(received) > 0 && (status == "" || state == SMSEnded) {
		state = SMSReceived
	}
	return state, received, status != "" || len(received) > 0
}

// isWaitingPlaceholder reports whether what a waiting number has received is a
// placeholder: whatever "waiting" comes with, and what has no digit but 0 where the
// number is "active", which it also is after an SMS.
func isWaitingPlaceholder(state SMSState, status string, sms SMS) bool {
	if state != SMSWaiting {
		return false
	}
	return !strings.EqualFold(status, "active") || !strings.ContainsAny(sms.Code.Reveal()+sms.Content.Reveal(), "123456789")
}

var digitRuns = regexp.MustCompile("[0-9]+")

// withZeros returns a code with the zeros before it that the text of the SMS has, and
// that are lost where the code is sent as a number.
func withZeros(code, content string) string {
	if code == "" || strings.Trim(code, "0123456789") != "" {
		return code
	}
	for _, run := range digitRuns.FindAllString(content, -1) {
		if run == code {
			return code
		}
	}
	for _, run := range digitRuns.FindAllString(content, -1) {
		if strings.TrimLeft(run, "0") == code {
			return run
		}
	}
	return code
}

func decodeSMSStatus(body []byte) (SMSStatus, bool) {
	var answer struct {
		Status    word
		Phone     phone
		Code      codes[smsCode]
		Charge    money
		Currency  currency
		ExpiresAt moment `json:"expires_at"`
	}
	if !unmarshal(body, &answer) {
		return SMSStatus{}, false
	}
	state, received, ok := receivedSMS(answer.Status, answer.Code, nil)
	status := SMSStatus{
		State:     state,
		RawStatus: string(answer.Status),
		Phone:     string(answer.Phone),
		Charge:    answer.Charge.figure(),
		Currency:  cmp.Or(string(answer.Currency), answer.Charge.currency),
		ExpiresAt: answer.ExpiresAt.Time,
	}
	if len(received) > 0 {
		status.Code = received[len(received)-1].Code
	}
	return status, ok
}

package hstock

import (
	"context"
	"strings"
	"time"

	"hstockbot/internal/redact"
)

// SMSProjects returns the websites whose codes numbers of a country can receive;
// country "" is all countries (HStockPlus: sms_projects).
func (c *Client) SMSProjects(ctx context.Context, key redact.Secret, country, lang string) ([]SMSProject, error) {
	return read(ctx, c, newCall("sms_projects", key, "country", country, "lang", langParam(lang)), decodeSMSProjects)
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
	return purchase(ctx, c, q, decodeSMSNumbers)
}

// SMSCode returns the code that a number has received (HStockPlus: sms_code).
func (c *Client) SMSCode(ctx context.Context, key redact.Secret, order int64) (SMSCode, error) {
	return read(ctx, c, newCall("sms_code", key, "order", formatInt(order)), decodeSMSCode)
}

// SMSStatus returns the state of a rented number (HStockPlus: sms_status).
func (c *Client) SMSStatus(ctx context.Context, key redact.Secret, order int64) (SMSStatus, error) {
	return read(ctx, c, newCall("sms_status", key, "order", formatInt(order)), decodeSMSStatus)
}

func decodeSMSProjects(body []byte) ([]SMSProject, bool) {
	elements, ok := decodeList[struct {
		ProjectID    text `json:"project_id"`
		Name         text
		Price        money
		CountryID    text `json:"country_id"`
		CountryTitle text `json:"country_title"`
	}](body, "projects", "data")
	if !ok {
		return nil, false
	}
	projects := make([]SMSProject, 0, len(elements))
	for _, e := range elements {
		price, priced := e.Price.price()
		if e.ProjectID == "" || !priced { // a missing price must not be displayed as 0
			continue
		}
		projects = append(projects, SMSProject{
			ID: string(e.ProjectID), Name: string(e.Name), Price: price,
			CountryID: string(e.CountryID), CountryTitle: string(e.CountryTitle),
		})
	}
	return projects, len(projects) > 0 || len(elements) == 0
}

func decodeSMSCountries(body []byte) ([]SMSCountry, bool) {
	elements, ok := decodeList[struct {
		Code text `json:"country_code"`
		Name text `json:"country_name"`
	}](body, "countries", "data")
	if !ok {
		return nil, false
	}
	countries := make([]SMSCountry, 0, len(elements))
	for _, e := range elements {
		if e.Code != "" {
			countries = append(countries, SMSCountry{Code: string(e.Code), Name: string(e.Name)})
		}
	}
	return countries, len(countries) > 0 || len(elements) == 0
}

// decodeSMSNumbers returns each order once. An answer without orders does not prove
// that numbers were rented.
func decodeSMSNumbers(body []byte) ([]SMSNumber, bool) {
	elements, _ := decodeList[struct {
		Order   integer
		Phone   text
		Country text
		Status  text
	}](body, "orders", "data")
	var numbers []SMSNumber
	seen := make(map[int64]bool, len(elements))
	for _, e := range elements {
		if e.Order.value <= 0 || seen[e.Order.value] {
			continue
		}
		seen[e.Order.value] = true
		numbers = append(numbers, SMSNumber{
			Order: e.Order.value, Phone: string(e.Phone), Country: string(e.Country), RawStatus: sanitize(string(e.Status)),
		})
	}
	return numbers, len(numbers) > 0
}

func decodeSMSCode(body []byte) (SMSCode, bool) {
	var answer struct {
		Status     text
		Code       text
		SMSContent text `json:"sms_content"`
		Message    text
	}
	if !unmarshal(body, &answer) {
		return SMSCode{}, false
	}
	state, rawStatus, ok := parseSMSStatus(answer.Status, answer.Code)
	return SMSCode{
		State:     state,
		RawStatus: rawStatus,
		Code:      redact.Secret(answer.Code),
		Content:   redact.Secret(answer.SMSContent),
		Message:   sanitize(string(answer.Message)),
	}, ok
}

// parseSMSStatus returns the state and the sanitized status of a number, and whether
// the answer has a status or a code. A code without a status means SMSReceived.
func parseSMSStatus(status, code text) (state SMSState, rawStatus string, ok bool) {
	state, rawStatus = ParseSMSState(string(status)), sanitize(string(status))
	if rawStatus == "" && code != "" {
		state = SMSReceived
	}
	return state, rawStatus, rawStatus != "" || code != ""
}

func decodeSMSStatus(body []byte) (SMSStatus, bool) {
	var answer struct {
		Status    text
		Phone     text
		Code      text
		Charge    money
		Currency  text
		ExpiresAt text `json:"expires_at"`
	}
	if !unmarshal(body, &answer) {
		return SMSStatus{}, false
	}
	state, rawStatus, ok := parseSMSStatus(answer.Status, answer.Code)
	status := SMSStatus{
		State:     state,
		RawStatus: rawStatus,
		Phone:     string(answer.Phone),
		Code:      redact.Secret(answer.Code),
		Charge:    answer.Charge.NullDecimal,
		Currency:  string(answer.Currency),
	}
	if expires, err := time.Parse(time.RFC3339, strings.TrimSpace(string(answer.ExpiresAt))); err == nil {
		status.ExpiresAt = expires
	}
	return status, ok
}

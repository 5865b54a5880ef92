package hstock

import (
	"context"
	"strings"
	"time"

	"hstockbot/internal/redact"
)

// SMSProjects returns the websites to receive codes of; country "" is all
// (HStockPlus: sms_projects).
func (c *Client) SMSProjects(ctx context.Context, key redact.Secret, country, lang string) ([]SMSProject, error) {
	return read(ctx, c, newCall("sms_projects", key, "country", country, "lang", langParam(lang)), decodeSMSProjects)
}

// ProjectsIn returns the items of an answer that belong to a country: the document
// does not promise that the filter is heeded, nor that a item names its country
// by the code. Where no item does, items of one and the same country are those
// that were asked for, under another id.
func ProjectsIn(country string, items []SMSProject) []SMSProject {
	var own []SMSProject
	alike := true
	for _, item := range items {
		if item.CountryID == "" || strings.EqualFold(item.CountryID, country) {
			own = append(own, item)
		}
		alike = alike && item.CountryID == items[0].CountryID
	}
	if len(own) == 0 && alike {
		return items
	}
	return own
}

// SMSCountries returns the countries of numbers (HStockPlus: sms_countries).
func (c *Client) SMSCountries(ctx context.Context, key redact.Secret, lang string) ([]SMSCountry, error) {
	return read(ctx, c, newCall("sms_countries", key, "lang", langParam(lang)), decodeSMSCountries)
}

// AddSMS rents numbers, perhaps fewer than asked for. It is sent once, as Add
// is (HStockPlus: add_sms).
func (c *Client) AddSMS(ctx context.Context, key redact.Secret, r AddSMSRequest) ([]SMSNumber, error) {
	q := newCall(
		"add_sms", key,
		"project_id", r.ProjectID,
		"quantity", formatPositive(r.Quantity),
		"country", r.Country,
		"phone", r.Phone,
	)
	return once(ctx, c, q, decodeSMSNumbers)
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
		if e.ProjectID == "" || !priced { // can't be ordered, and must not look free
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

// decodeSMSNumbers keeps each order once; without any, nothing proves that
// numbers were rented.
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
	code := SMSCode{
		State:     ParseSMSState(string(answer.Status)),
		RawStatus: sanitize(string(answer.Status)),
		Code:      redact.Secret(answer.Code),
		Content:   redact.Secret(answer.SMSContent),
		Message:   sanitize(string(answer.Message)),
	}
	if code.RawStatus == "" && code.Code != "" {
		code.State = SMSReceived
	}
	return code, code.RawStatus != "" || code.Code != ""
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
	status := SMSStatus{
		State:     ParseSMSState(string(answer.Status)),
		RawStatus: sanitize(string(answer.Status)),
		Phone:     string(answer.Phone),
		Code:      redact.Secret(answer.Code),
		Charge:    answer.Charge.NullDecimal,
		Currency:  string(answer.Currency),
	}
	if expires, err := time.Parse(time.RFC3339, strings.TrimSpace(string(answer.ExpiresAt))); err == nil {
		status.ExpiresAt = expires
	}
	if status.RawStatus == "" && status.Code != "" {
		status.State = SMSReceived
	}
	return status, status.RawStatus != "" || status.Code != ""
}

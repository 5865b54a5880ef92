package links

import (
	"net/url"
	"slices"
	"strings"
)

// canonicalHosts are other names of a platform's host.
var canonicalHosts = map[string]string{
	"twitter.com": "x.com", "telegram.me": "t.me", "telegram.dog": "t.me", "instagr.am": "instagram.com", "fb.com": "facebook.com",
}

// identifying are the parts of a query that tell pages of a platform apart; the others
// say where a link was copied.
var identifying = []string{"v", "id", "fbid", "story_fbid", "list", "w", "z"}

// Normal returns the spelling that all addresses of a page have in common: without
// scheme, www., m., fragment, and the parts of the query that tell no pages apart.
// It is for comparisons and leads nowhere. Normal(Normal(x)) is Normal(x).
func Normal(address string) string {
	for {
		normal := normalize(address)
		if normal == address {
			return normal
		}
		address = normal
	}
}

func normalize(address string) string {
	address, _, _ = strings.Cut(strings.TrimSpace(address), "#")
	for _, scheme := range []string{"https://", "http://"} {
		if len(address) >= len(scheme) && strings.EqualFold(address[:len(scheme)], scheme) {
			address = address[len(scheme):]
		}
	}
	address, rawQuery, _ := strings.Cut(address, "?")
	path := strings.FieldsFunc(address, func(r rune) bool { return r == '/' })
	if len(path) == 0 {
		return ""
	}
	host, path := normalHost(path[0]), path[1:]
	query, _ := url.ParseQuery(rawQuery) // what can't be parsed identifies nothing
	address = strings.Join(append([]string{host}, path...), "/")
	link, known := Recognize("https://" + address)
	if id := videoID(host, path, query); id != "" {
		return "youtube.com/watch?" + url.Values{"v": {id}}.Encode()
	}
	for name := range query {
		if known && !slices.Contains(identifying, name) || strings.HasPrefix(name, "utm_") {
			delete(query, name)
		}
	}
	if link.Kind == Profile { // the names of people have no case
		address = strings.ToLower(address)
	}
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	return address
}

func normalHost(host string) string {
	host = strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(host), ":443"), ":80")
	host = strings.TrimSuffix(host, ".")
	for _, prefix := range []string{"www.", "m.", "mobile."} {
		if rest, ok := strings.CutPrefix(host, prefix); ok && strings.Contains(rest, ".") {
			host = rest
		}
	}
	if canonical, ok := canonicalHosts[host]; ok {
		return canonical
	}
	return host
}

// videoID returns the id of a YouTube video, which has several addresses, "" for other
// pages.
func videoID(host string, path []string, query url.Values) string {
	switch {
	case len(path) == 0:
		return ""
	case host == "youtu.be":
		return path[0]
	case host != "youtube.com" && !strings.HasSuffix(host, ".youtube.com"):
		return ""
	case path[0] == "watch":
		return query.Get("v")
	case len(path) > 1 && slices.Contains([]string{"shorts", "live", "embed", "v"}, path[0]):
		return path[1]
	default:
		return ""
	}
}

// profiles are the addresses of profiles before the name.
var profiles = map[string]string{
	"Instagram": "https://instagram.com/", "TikTok": "https://tiktok.com/@", "YouTube": "https://youtube.com/@",
	"Facebook": "https://facebook.com/", "X": "https://x.com/", "Telegram": "https://t.me/",
}

// ProfileOf returns the address of "@name" on the platform that a service is for, by its
// English texts (its name, then its category). It returns false for another text, and
// where they name no platform or several.
func ProfileOf(typed string, texts ...string) (string, bool) {
	name, ok := strings.CutPrefix(typed, "@")
	if !ok || name == "" || len(name) > 64 || strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
		return "", false
	}
	for _, text := range texts {
		var named []string
		for platform, address := range profiles {
			if (Link{Platform: platform}).Named(text) {
				named = append(named, address)
			}
		}
		if len(named) > 0 {
			return named[0] + name, len(named) == 1
		}
	}
	return "", false
}

// Package credentials owns what is known about the form of delivered accounts: the
// parts of an account like anna@mail.com:password|JBSWY3DPEHPK3PXP|rec@mail.com, the
// table of many, and the codes of their second factor (RFC 6238).
//
// It contains neither Telegram nor storage, and changes no byte of what it splits. A
// split is a claim about somebody's password, so Split prefers none to a doubtful one.
package credentials

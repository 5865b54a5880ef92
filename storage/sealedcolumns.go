package storage

// sealedColumn is a column with sealed values, and what they are sealed for.
type sealedColumn struct {
	table, column         string
	sealTable, sealColumn string
	row, owner            string // SQL for the id of the row, by which it is found, and of the person or ""
	where                 string // which rows, "" for all
}

// sealedColumns are all columns with sealed values. The key of the digests is the first:
// see Rotate.
var sealedColumns = []sealedColumn{
	{table: "settings", column: "value", sealTable: "settings", sealColumn: digestSetting, row: `CAST(0 AS BIGINT)`, where: `name = '` + digestSetting + `'`},
	{table: "api_keys", column: "secret_sealed", sealTable: "api_keys", sealColumn: "secret", row: "id", owner: "user_id"},
	{table: "dialogs", column: "data_sealed", sealTable: "dialogs", sealColumn: "data", row: "user_id"},
	{table: "inbox", column: "payload_sealed", sealTable: "inbox", sealColumn: "payload", row: "update_id"},
	{table: "purchases", column: "link_sealed", sealTable: "purchases", sealColumn: "link", row: "id"},
	{table: "purchases", column: "phone_sealed", sealTable: "purchases", sealColumn: "phone", row: "id"},
	{table: "purchases", column: "refusal_sealed", sealTable: "purchases", sealColumn: "refusal", row: "id"},
	{table: "orders", column: "link_sealed", sealTable: "orders", sealColumn: "link", row: "id"},
	{table: "orders", column: "phone_sealed", sealTable: "orders", sealColumn: "phone", row: "id"},
	{table: "outbox", column: "body_sealed", sealTable: "outbox", sealColumn: "body", row: "id"},
	{table: "searches", column: "query_sealed", sealTable: "searches", sealColumn: "query", row: "id"},
	{table: "basket_lines", column: "link_sealed", sealTable: "basket_lines", sealColumn: "link", row: "id"},
	{table: "basket_sets", column: "name_sealed", sealTable: "basket_sets", sealColumn: "name", row: "id"},
	{table: "rooms", column: "title_sealed", sealTable: "rooms", sealColumn: "title", row: "id"},
	{table: "room_messages", column: "body_sealed", sealTable: "room_messages", sealColumn: "body", row: "id"},
}

// sealedValue is a value of a sealed column.
type sealedValue struct {
	Row    int64  `db:"row_id"`
	Owner  int64  `db:"owner_id"` // 0 in a column without owners
	Sealed string `db:"sealed"`
	// Position orders the values of a column, see DB.sealedValues.
	Position int64 `db:"position"`
}

// identity returns what selects the fields Row and Owner of a sealedValue.
func (c sealedColumn) identity() string {
	owner := c.owner
	if owner == "" {
		owner = "0"
	}
	return c.row + ` AS row_id, ` + owner + ` AS owner_id, `
}

// ownerOf returns whom a value is sealed for, as seal takes it.
func (c sealedColumn) ownerOf(value sealedValue) []int64 {
	if c.owner == "" {
		return nil
	}
	return []int64{value.Owner}
}

// from returns the clauses for the rows that meet a condition.
func (c sealedColumn) from(condition string) string { return ` FROM ` + c.table + c.rows(condition) }

func (c sealedColumn) rows(condition string) string {
	if c.where != "" {
		condition += ` AND ` + c.where
	}
	return ` WHERE ` + condition
}

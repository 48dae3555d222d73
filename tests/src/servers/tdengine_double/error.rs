//! The errors that TDengine gives, with their codes in `taoserror.h`.

/// Why a statement is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    /// The lower 16 bits, as taosAdapter gives them.
    pub code: u32,
    /// What TDengine says to it.
    pub message: String,
}

fn new(code: u32, message: impl Into<String>) -> SqlError {
    SqlError { code, message: message.into() }
}

pub(super) fn syntax(near: &str) -> SqlError {
    let near: String = near.chars().take(40).collect();
    new(0x2600, format!("syntax error near \"{near}\""))
}

/// For a number too near to zero, which TDengine 3.3.0 was seen to refuse.
pub(super) fn bad_number(number: &str) -> SqlError {
    new(0x0216, format!("invalid double data: {number}"))
}

pub(super) fn too_long_statement() -> SqlError {
    new(0x0219, "SQL statement too long")
}

pub(super) fn bad_option(message: &str) -> SqlError {
    new(0x2616, message)
}

pub(super) fn no_rights() -> SqlError {
    new(0x0303, "Insufficient privilege for operation")
}

pub(super) fn wrong_password() -> SqlError {
    new(0x0357, "Authentication failure")
}

pub(super) fn bad_row_bytes() -> SqlError {
    new(0x036F, "Exceed max row bytes")
}

pub(super) fn database_exists() -> SqlError {
    new(0x0381, "Database already exists")
}

pub(super) fn no_database() -> SqlError {
    new(0x0388, "Database not exist")
}

pub(super) fn stale_time() -> SqlError {
    new(0x060B, "Timestamp data out of range")
}

pub(super) fn no_column(name: &str) -> SqlError {
    new(0x2602, format!("Invalid column name: {name}"))
}

pub(super) fn no_table() -> SqlError {
    new(0x2603, "Table does not exist")
}

pub(super) fn bad_type(what: &str) -> SqlError {
    new(0x2605, format!("Invalid value type: {what}"))
}

pub(super) fn tags_do_not_match() -> SqlError {
    new(0x260D, "Tags number not matched")
}

pub(super) fn no_database_selected() -> SqlError {
    new(0x2616, "Database not specified")
}

pub(super) fn bad_name(name: &str) -> SqlError {
    new(0x2617, format!("Invalid identifier name: {name}"))
}

pub(super) fn table_exists() -> SqlError {
    new(0x0603, "Table already exists")
}

pub(super) fn duplicated_columns() -> SqlError {
    new(0x263C, "Duplicated column names")
}

pub(super) fn too_long_value(column: &str) -> SqlError {
    new(0x2653, format!("Value too long for column/tag: {column}"))
}

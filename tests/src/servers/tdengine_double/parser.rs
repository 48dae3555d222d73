//! Statements as TDengine understands them: those that a mapper sends, and the few with which a test prepares or damages a database.

use super::{
    SqlError, error,
    tokens::{Token, tokens},
};

/// A statement.
#[derive(Debug, PartialEq)]
pub(super) enum Statement {
    CreateDatabase {
        name: String,
        if_not_exists: bool,
        precision: Precision,
    },
    DropDatabase {
        name: String,
        if_exists: bool,
    },
    CreateStable {
        name: TableName,
        if_not_exists: bool,
        columns: Vec<(String, Type)>,
        tags: Vec<(String, Type)>,
    },
    DropStable {
        name: TableName,
    },
    Insert(Vec<Insert>),
    Select(Select),
    /// `SELECT SERVER_STATUS()`
    ServerStatus,
}

/// What a database counts its times in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    Milli,
    Micro,
    Nano,
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Timestamp,
    BigInt,
    Double,
    Bool,
    /// Characters, of which each takes four bytes.
    Nchar(usize),
    /// Bytes.
    Varchar(usize),
}

/// A table, perhaps in a named database.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TableName {
    pub(super) database: Option<String>,
    pub(super) table: String,
}

/// What goes into one table.
#[derive(Debug, PartialEq)]
pub(super) struct Insert {
    pub(super) table: TableName,
    pub(super) using: Option<Using>,
    /// The columns in the order of the values; without them, all.
    pub(super) columns: Option<Vec<String>>,
    pub(super) rows: Vec<Vec<Literal>>,
}

/// The supertable and the tags of a table that may have to be made.
#[derive(Debug, PartialEq)]
pub(super) struct Using {
    pub(super) supertable: TableName,
    pub(super) names: Option<Vec<String>>,
    pub(super) values: Vec<Literal>,
}

/// A value in a statement.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    /// With its sign.
    Number(String),
    Text(String),
}

/// A question to a supertable.
#[derive(Debug, PartialEq)]
pub(super) struct Select {
    pub(super) columns: Vec<String>,
    pub(super) table: TableName,
    /// All must hold.
    pub(super) conditions: Vec<Condition>,
    pub(super) order: Option<(String, Order)>,
    pub(super) limit: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Ascending,
    Descending,
}

/// `column operator value`, or `column IN (values)`.
#[derive(Debug, PartialEq)]
pub(super) struct Condition {
    pub(super) column: String,
    pub(super) operator: &'static str,
    pub(super) values: Vec<Literal>,
}

/// Words that are no identifiers unless they stand in back quotes: those of TDengine's keywords that one could take for one.
const RESERVED: [&str; 71] = [
    "ACCOUNT",
    "ADD",
    "ALL",
    "ALTER",
    "AND",
    "AS",
    "ASC",
    "BETWEEN",
    "BIGINT",
    "BINARY",
    "BLOB",
    "BOOL",
    "BY",
    "CACHE",
    "COLUMN",
    "COMMENT",
    "CREATE",
    "DATABASE",
    "DATABASES",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "DOUBLE",
    "DROP",
    "EXISTS",
    "FILE",
    "FILL",
    "FLOAT",
    "FROM",
    "FUNCTION",
    "GRANT",
    "GROUP",
    "HAVING",
    "IF",
    "IN",
    "INDEX",
    "INSERT",
    "INT",
    "INTERVAL",
    "INTO",
    "IS",
    "JOIN",
    "JSON",
    "KEEP",
    "LIKE",
    "LIMIT",
    "NCHAR",
    "NOT",
    "NOW",
    "NULL",
    "ON",
    "OR",
    "ORDER",
    "PARTITION",
    "PRECISION",
    "SELECT",
    "SESSION",
    "SET",
    "STABLE",
    "STABLES",
    "TABLE",
    "TABLES",
    "TAG",
    "TAGS",
    "TIMESTAMP",
    "UNION",
    "USE",
    "USING",
    "VALUE",
    "VALUES",
    "WHERE",
];

/// The most bytes of a table's name, a column's and a database's.
const MAX_TABLE_NAME: usize = 192;
const MAX_OTHER_NAME: usize = 64;

/// Reads a statement.
pub(super) fn parse(sql: &str) -> Result<Statement, SqlError> {
    let mut parser = Parser { tokens: tokens(sql)?, next: 0 };
    let statement = parser.statement()?;
    parser.takes(";");
    if parser.next == parser.tokens.len() { Ok(statement) } else { Err(parser.unexpected()) }
}

/// The tokens, and how far they are read.
struct Parser {
    tokens: Vec<Token>,
    next: usize,
}

impl Parser {
    fn statement(&mut self) -> Result<Statement, SqlError> {
        if self.take_word("CREATE") {
            return if self.take_word("DATABASE") { self.create_database() } else { self.create_stable() };
        }
        if self.take_word("DROP") {
            if self.take_word("DATABASE") {
                let if_exists = self.take_words(&["IF", "EXISTS"])?;
                return Ok(Statement::DropDatabase { name: self.name(MAX_OTHER_NAME)?, if_exists });
            }
            self.word("STABLE")?;
            return Ok(Statement::DropStable { name: self.table_name()? });
        }
        if self.take_word("INSERT") {
            return self.insert();
        }
        self.word("SELECT")?;
        self.select()
    }

    fn create_database(&mut self) -> Result<Statement, SqlError> {
        let if_not_exists = self.take_words(&["IF", "NOT", "EXISTS"])?;
        let name = self.name(MAX_OTHER_NAME)?;
        let mut precision = Precision::Milli;
        if self.take_word("PRECISION") {
            precision = match self.literal()? {
                Literal::Text(text) if text == "ms" => Precision::Milli,
                Literal::Text(text) if text == "us" => Precision::Micro,
                Literal::Text(text) if text == "ns" => Precision::Nano,
                _ => return Err(self.unexpected()),
            };
        }
        let keep = if self.take_word("KEEP") { self.days()? } else { 3_650 };
        let duration = if self.take_word("DURATION") { self.days()? } else { 10 };
        if keep < 3 * duration {
            return Err(error::bad_option("Invalid option keep: it should be at least three times of duration"));
        }
        Ok(Statement::CreateDatabase { name, if_not_exists, precision })
    }

    /// A number of days, such as `30d`.
    fn days(&mut self) -> Result<usize, SqlError> {
        let days = self.count()?;
        self.word("D")?;
        Ok(days)
    }

    fn create_stable(&mut self) -> Result<Statement, SqlError> {
        self.word("STABLE")?;
        let if_not_exists = self.take_words(&["IF", "NOT", "EXISTS"])?;
        let name = self.table_name()?;
        let columns = self.list(Self::column)?;
        self.word("TAGS")?;
        Ok(Statement::CreateStable { name, if_not_exists, columns, tags: self.list(Self::column)? })
    }

    fn column(&mut self) -> Result<(String, Type), SqlError> {
        let name = self.name(MAX_OTHER_NAME)?;
        let types =
            [("TIMESTAMP", Type::Timestamp), ("BIGINT", Type::BigInt), ("DOUBLE", Type::Double), ("BOOL", Type::Bool)];
        if let Some((_, fixed)) = types.into_iter().find(|(word, _)| self.take_word(word)) {
            return Ok((name, fixed));
        }
        let of_length = if self.take_word("NCHAR") { Type::Nchar } else { Type::Varchar };
        if of_length(0) == Type::Varchar(0) && !self.take_word("VARCHAR") {
            return Err(self.unexpected());
        }
        self.symbol("(")?;
        let length = self.count()?;
        self.symbol(")")?;
        Ok((name, of_length(length)))
    }

    fn insert(&mut self) -> Result<Statement, SqlError> {
        self.word("INTO")?;
        let mut inserts = Vec::new();
        while inserts.is_empty() || self.next < self.tokens.len() && !self.is_symbol(";") {
            let table = self.table_name()?;
            let using = if self.take_word("USING") { Some(self.using()?) } else { None };
            let columns = self.names()?;
            self.word("VALUES")?;
            let mut rows = vec![self.list(Self::literal)?];
            while self.is_symbol("(") || self.takes(",") {
                rows.push(self.list(Self::literal)?);
            }
            inserts.push(Insert { table, using, columns, rows });
        }
        Ok(Statement::Insert(inserts))
    }

    fn using(&mut self) -> Result<Using, SqlError> {
        let supertable = self.table_name()?;
        let names = self.names()?;
        self.word("TAGS")?;
        Ok(Using { supertable, names, values: self.list(Self::literal)? })
    }

    fn select(&mut self) -> Result<Statement, SqlError> {
        if self.take_word("SERVER_STATUS") {
            self.symbol("(")?;
            self.symbol(")")?;
            return Ok(Statement::ServerStatus);
        }
        let columns = self.separated(",", |parser| parser.name(MAX_OTHER_NAME))?;
        self.word("FROM")?;
        let table = self.table_name()?;
        let conditions =
            if self.take_word("WHERE") { self.separated_by_word("AND", Self::condition)? } else { Vec::new() };
        let mut order = None;
        if self.take_words(&["ORDER", "BY"])? {
            let column = self.name(MAX_OTHER_NAME)?;
            let direction = if self.take_word("DESC") { Order::Descending } else { Order::Ascending };
            if direction == Order::Ascending {
                self.take_word("ASC");
            }
            order = Some((column, direction));
        }
        let limit = if self.take_word("LIMIT") { Some(self.count()?) } else { None };
        Ok(Statement::Select(Select { columns, table, conditions, order, limit }))
    }

    fn condition(&mut self) -> Result<Condition, SqlError> {
        let column = self.name(MAX_OTHER_NAME)?;
        if self.take_word("IN") {
            return Ok(Condition { column, operator: "=", values: self.list(Self::literal)? });
        }
        let operator = ["=", ">=", "<=", ">", "<"].into_iter().find(|symbol| self.takes(symbol));
        let operator = operator.ok_or_else(|| self.unexpected())?;
        Ok(Condition { column, operator, values: vec![self.literal()?] })
    }

    fn literal(&mut self) -> Result<Literal, SqlError> {
        let sign = if self.takes("-") { "-" } else { "" };
        let literal = match self.tokens.get(self.next) {
            Some(Token::Number(number)) => Literal::Number(format!("{sign}{number}")),
            Some(Token::Text(text)) if sign.is_empty() => Literal::Text(text.clone()),
            Some(Token::Word(word)) if sign.is_empty() => match word.to_ascii_uppercase().as_str() {
                "TRUE" => Literal::Bool(true),
                "FALSE" => Literal::Bool(false),
                "NULL" => Literal::Null,
                _ => return Err(self.unexpected()),
            },
            _ => return Err(self.unexpected()),
        };
        self.next += 1;
        Ok(literal)
    }

    fn table_name(&mut self) -> Result<TableName, SqlError> {
        let first = self.name(MAX_TABLE_NAME)?;
        if !self.takes(".") {
            return Ok(TableName { database: None, table: first });
        }
        Ok(TableName { database: Some(first), table: self.name(MAX_TABLE_NAME)? })
    }

    /// An identifier: without quotes in lower case, and none of the keywords.
    fn name(&mut self, max_bytes: usize) -> Result<String, SqlError> {
        let name = match self.tokens.get(self.next) {
            Some(Token::Quoted(name)) => name.clone(),
            Some(Token::Word(word)) if !RESERVED.contains(&word.to_ascii_uppercase().as_str()) => {
                word.to_ascii_lowercase()
            }
            _ => return Err(self.unexpected()),
        };
        self.next += 1;
        if name.len() > max_bytes { Err(error::bad_name(&name)) } else { Ok(name) }
    }

    /// Identifiers in parentheses, if there are any.
    fn names(&mut self) -> Result<Option<Vec<String>>, SqlError> {
        if self.is_symbol("(") { self.list(|parser| parser.name(MAX_OTHER_NAME)).map(Some) } else { Ok(None) }
    }

    fn count(&mut self) -> Result<usize, SqlError> {
        match self.literal()? {
            Literal::Number(number) => number.parse().map_err(|_| self.unexpected()),
            _ => Err(self.unexpected()),
        }
    }

    /// One or more items in parentheses.
    fn list<T>(&mut self, item: impl FnMut(&mut Self) -> Result<T, SqlError>) -> Result<Vec<T>, SqlError> {
        self.symbol("(")?;
        let items = self.separated(",", item)?;
        self.symbol(")")?;
        Ok(items)
    }

    fn separated<T>(
        &mut self,
        symbol: &str,
        mut item: impl FnMut(&mut Self) -> Result<T, SqlError>,
    ) -> Result<Vec<T>, SqlError> {
        let mut items = vec![item(self)?];
        while self.takes(symbol) {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn separated_by_word<T>(
        &mut self,
        word: &str,
        mut item: impl FnMut(&mut Self) -> Result<T, SqlError>,
    ) -> Result<Vec<T>, SqlError> {
        let mut items = vec![item(self)?];
        while self.take_word(word) {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn is_symbol(&self, wanted: &str) -> bool {
        matches!(self.tokens.get(self.next), Some(Token::Symbol(symbol)) if *symbol == wanted)
    }

    fn takes(&mut self, symbol: &str) -> bool {
        let there = self.is_symbol(symbol);
        self.next += usize::from(there);
        there
    }

    fn symbol(&mut self, symbol: &str) -> Result<(), SqlError> {
        if self.takes(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn take_word(&mut self, wanted: &str) -> bool {
        let there = matches!(self.tokens.get(self.next), Some(Token::Word(word)) if word.eq_ignore_ascii_case(wanted));
        self.next += usize::from(there);
        there
    }

    /// Takes all of the words, which may not end in the middle.
    fn take_words(&mut self, words: &[&str]) -> Result<bool, SqlError> {
        if !self.take_word(words[0]) {
            return Ok(false);
        }
        words[1..].iter().try_for_each(|word| self.word(word)).map(|()| true)
    }

    fn word(&mut self, word: &str) -> Result<(), SqlError> {
        if self.take_word(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&self) -> SqlError {
        match self.tokens.get(self.next) {
            Some(Token::Word(near) | Token::Quoted(near) | Token::Text(near) | Token::Number(near)) => {
                error::syntax(near)
            }
            Some(Token::Symbol(symbol)) => error::syntax(symbol),
            None => error::syntax(""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(sql: &str) -> u32 {
        parse(sql).expect_err(sql).code
    }

    #[test]
    fn the_table_that_the_go_framework_writes_to_is_refused() {
        // Its name holds slashes, and stands in no quotes.
        assert_eq!(code("INSERT INTO default/boiler/pressure VALUES ('2023-11-14 22:13:20', 1)"), 0x2600);
        assert_eq!(code("INSERT INTO plant-1 VALUES (1, 1)"), 0x2600);
    }

    #[test]
    fn a_bare_name_is_read_in_lower_case_and_a_quoted_one_as_it_is() {
        let Ok(Statement::Select(select)) = parse("select Ts, `Value` from Plant.`Tab/le`") else { panic!("a select") };
        assert_eq!(select.columns, ["ts", "Value"]);
        assert_eq!(select.table, TableName { database: Some("plant".into()), table: "Tab/le".into() });
    }

    #[test]
    fn a_keyword_is_no_name_unless_it_is_quoted() {
        assert_eq!(code("SELECT ts, value FROM plant.t"), 0x2600);
        assert!(parse("SELECT ts, `value` FROM plant.t").is_ok());
    }

    #[test]
    fn a_database_keeps_at_least_three_of_its_files() {
        assert!(parse("CREATE DATABASE plant PRECISION 'ms' KEEP 30d DURATION 10d").is_ok());
        assert_eq!(code("CREATE DATABASE plant KEEP 29d"), 0x2616);
    }

    #[test]
    fn a_name_that_is_too_long_is_refused() {
        assert!(parse(&format!("SELECT ts FROM `{}`", "x".repeat(192))).is_ok());
        assert_eq!(code(&format!("SELECT ts FROM `{}`", "x".repeat(193))), 0x2617);
        assert_eq!(code(&format!("CREATE DATABASE `{}`", "x".repeat(65))), 0x2617);
    }

    #[test]
    fn half_a_statement_and_one_too_many_are_refused() {
        for sql in [
            "",
            "CREATE",
            "CREATE DATABASE IF EXISTS a",
            "CREATE DATABASE a PRECISION 's'",
            "CREATE STABLE a.b (ts TIMESTAMP)",
            "CREATE STABLE a.b (ts TIMESTAMP, v NCHAR) TAGS (t BOOL)",
            "INSERT INTO",
            "INSERT INTO a.b VALUES",
            "INSERT INTO a.b VALUES ()",
            "INSERT INTO a.b VALUES (1, 'x'",
            "INSERT INTO a.b VALUES (1, x)",
            "INSERT INTO a.b VALUES (1, -'x')",
            "INSERT INTO a.b USING a.c VALUES (1)",
            "SELECT ts FROM a.b WHERE",
            "SELECT ts FROM a.b LIMIT x",
            "SELECT ts FROM a.b; DROP DATABASE a",
        ] {
            assert_eq!(code(sql), 0x2600, "{sql}");
        }
    }

    #[test]
    fn an_insert_names_several_tables_with_several_rows() {
        let sql = "INSERT INTO a.b USING a.s (`x`) TAGS ('it\\'s') (ts, `value`) VALUES (1, -2.5)(2, NULL) `c` VALUES (3, true);";
        let Ok(Statement::Insert(inserts)) = parse(sql) else { panic!("an insert") };
        let number = |text: &str| Literal::Number(text.to_owned());
        assert_eq!(inserts[0].rows, [[number("1"), number("-2.5")], [number("2"), Literal::Null]]);
        let using = inserts[0].using.as_ref().expect("a supertable");
        assert_eq!((&using.names, &using.values), (&Some(vec!["x".into()]), &vec![Literal::Text("it's".into())]));
        assert_eq!(inserts[1].rows, [[number("3"), Literal::Bool(true)]]);
        assert_eq!(inserts[1].columns, None);
    }
}

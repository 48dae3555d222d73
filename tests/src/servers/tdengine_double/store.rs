//! What the double holds, and what statements do to it.

use std::{
    collections::{BTreeMap, HashSet},
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    MAX_ROW_BYTES, SqlError,
    cell::{Cell, cell, units},
    error,
    parser::{Condition, Insert, Literal, Order, Precision, Select, Statement, TableName, Type, Using, parse},
};

/// The most bytes of a statement, `maxSQLLength`.
const MAX_STATEMENT: usize = 1024 * 1024;

/// The most bytes of all tags of a supertable.
const MAX_TAG_BYTES: usize = 16 * 1024;

/// How many days a database keeps.
const KEEP_DAYS: u64 = 3650;

/// All databases.
#[derive(Debug, Default)]
pub(super) struct Store {
    databases: BTreeMap<String, Database>,
    /// Whether nobody may make databases and tables.
    pub(super) frozen: bool,
}

#[derive(Debug)]
struct Database {
    precision: Precision,
    supertables: BTreeMap<String, Supertable>,
    subtables: BTreeMap<String, Subtable>,
}

#[derive(Debug)]
struct Supertable {
    columns: Vec<(String, Type)>,
    tags: Vec<(String, Type)>,
}

#[derive(Debug)]
struct Subtable {
    supertable: String,
    tags: Vec<Cell>,
    /// By time, in units of the database.
    rows: BTreeMap<i64, Vec<Cell>>,
}

/// What a statement gives.
#[derive(Debug)]
pub(super) enum Answer {
    Affected(usize),
    Rows { columns: Vec<(String, Type)>, precision: Precision, rows: Vec<Vec<Cell>> },
}

/// A row as it is stored, with the tags of its table.
pub(super) struct Stored<'a> {
    pub(super) supertable: &'a str,
    pub(super) subtable: &'a str,
    /// Columns and tags by name.
    pub(super) cells: BTreeMap<&'a str, &'a Cell>,
    pub(super) timestamp_ms: i64,
}

impl Store {
    /// Executes a statement, with the database that the connection has chosen.
    pub(super) fn execute(&mut self, selected: Option<&str>, sql: &str) -> Result<Answer, SqlError> {
        if sql.len() > MAX_STATEMENT {
            return Err(error::too_long_statement());
        }
        match parse(sql)? {
            Statement::CreateDatabase { name, if_not_exists, precision } => {
                self.create_database(name, if_not_exists, precision)
            }
            Statement::DropDatabase { name, if_exists } => match self.databases.remove(&name) {
                None if !if_exists => Err(error::no_database()),
                _ => Ok(Answer::Affected(0)),
            },
            Statement::CreateStable { name, if_not_exists, columns, tags } => {
                self.create_stable(selected, &name, if_not_exists, Supertable { columns, tags })
            }
            Statement::DropStable { name } => {
                let database = self.database_mut(selected, &name)?;
                database.supertables.remove(&name.table).ok_or_else(error::no_table)?;
                database.subtables.retain(|_, subtable| subtable.supertable != name.table);
                Ok(Answer::Affected(0))
            }
            Statement::Insert(inserts) => self.insert(selected, &inserts),
            Statement::Select(select) => self.select(selected, &select),
            Statement::ServerStatus => {
                let columns = vec![("server_status()".to_owned(), Type::BigInt)];
                Ok(Answer::Rows { columns, precision: Precision::Milli, rows: vec![vec![Cell::Int(1)]] })
            }
        }
    }

    /// All rows of a database.
    pub(super) fn stored(&self, database: &str) -> Vec<Stored<'_>> {
        let Some(database) = self.databases.get(database) else { return Vec::new() };
        let mut stored = Vec::new();
        for (name, subtable) in &database.subtables {
            let supertable = &database.supertables[&subtable.supertable];
            let tags = || supertable.tags.iter().zip(&subtable.tags);
            for (time, row) in &subtable.rows {
                let cells = supertable.columns.iter().zip(row).chain(tags());
                stored.push(Stored {
                    supertable: &subtable.supertable,
                    subtable: name,
                    cells: cells.map(|((name, _), cell)| (name.as_str(), cell)).collect(),
                    timestamp_ms: time / (units(database.precision) / units(Precision::Milli)),
                });
            }
        }
        stored
    }

    fn create_database(&mut self, name: String, if_not_exists: bool, precision: Precision) -> Result<Answer, SqlError> {
        if self.frozen {
            return Err(error::no_rights());
        }
        if self.databases.contains_key(&name) {
            return if if_not_exists { Ok(Answer::Affected(0)) } else { Err(error::database_exists()) };
        }
        let database = Database { precision, supertables: BTreeMap::new(), subtables: BTreeMap::new() };
        self.databases.insert(name, database);
        Ok(Answer::Affected(0))
    }

    fn create_stable(
        &mut self,
        selected: Option<&str>,
        name: &TableName,
        if_not_exists: bool,
        supertable: Supertable,
    ) -> Result<Answer, SqlError> {
        let frozen = self.frozen;
        let database = self.database_mut(selected, name)?;
        if frozen {
            return Err(error::no_rights());
        }
        supertable.check()?;
        if database.supertables.contains_key(&name.table) {
            return if if_not_exists { Ok(Answer::Affected(0)) } else { Err(error::table_exists()) };
        }
        database.supertables.insert(name.table.clone(), supertable);
        Ok(Answer::Affected(0))
    }

    /// Inserts all or nothing: TDengine too reads the whole statement before it sends any of it to a vnode.
    fn insert(&mut self, selected: Option<&str>, inserts: &[Insert]) -> Result<Answer, SqlError> {
        let mut prepared = Vec::new();
        for insert in inserts {
            let database = self.database(selected, &insert.table)?;
            prepared.push((insert, self.prepare(selected, database, insert)?));
        }
        let mut affected = 0;
        for (insert, subtable) in prepared {
            affected += subtable.rows.len();
            let tables = &mut self.database_mut(selected, &insert.table)?.subtables;
            match tables.get_mut(&insert.table.table) {
                // The tags of a table that is there stay as they are.
                Some(table) => table.rows.extend(subtable.rows),
                None => drop(tables.insert(insert.table.table.clone(), subtable)),
            }
        }
        Ok(Answer::Affected(affected))
    }

    /// The rows, and the table that they would make.
    fn prepare(&self, selected: Option<&str>, database: &Database, insert: &Insert) -> Result<Subtable, SqlError> {
        let existing = database.subtables.get(&insert.table.table);
        let (name, tags) = match (&insert.using, existing) {
            (Some(using), _) => {
                let supertable = self.supertable(selected, &using.supertable)?;
                (using.supertable.table.clone(), supertable.tag_cells(using, database.precision)?)
            }
            (None, Some(table)) => (table.supertable.clone(), table.tags.clone()),
            (None, None) => return Err(error::no_table()),
        };
        if existing.is_some_and(|table| table.supertable != name) {
            return Err(error::table_exists());
        }
        let supertable = database.supertables.get(&name).ok_or_else(error::no_table)?;
        let mut rows = BTreeMap::new();
        for values in &insert.rows {
            let row = supertable.row_cells(insert.columns.as_deref(), values, database.precision)?;
            let Some(Cell::Time(time)) = row.first() else { return Err(error::bad_type("a row needs a time")) };
            if *time < oldest(database.precision) {
                return Err(error::stale_time());
            }
            rows.insert(*time, row);
        }
        Ok(Subtable { supertable: name, tags, rows })
    }

    fn select(&self, selected: Option<&str>, select: &Select) -> Result<Answer, SqlError> {
        let database = self.database(selected, &select.table)?;
        let supertable = database.supertables.get(&select.table.table).ok_or_else(error::no_table)?;
        let wanted = select.columns.iter().map(|name| supertable.find(name)).collect::<Result<Vec<_>, _>>()?;
        let conditions = select.conditions.iter().map(|condition| supertable.resolve(condition, database.precision));
        let conditions = conditions.collect::<Result<Vec<_>, _>>()?;
        let tables = database.subtables.values().filter(|table| table.supertable == select.table.table);
        let rows = tables.flat_map(|table| table.rows.values().map(|row| [&row[..], &table.tags[..]].concat()));
        let mut rows: Vec<_> = rows.filter(|row| conditions.iter().all(|condition| condition.holds(row))).collect();
        if let Some((column, order)) = &select.order {
            let (index, _) = supertable.find(column)?;
            rows.sort_by(|a, b| a[index].partial_cmp(&b[index]).unwrap_or(std::cmp::Ordering::Equal));
            if *order == Order::Descending {
                rows.reverse();
            }
        }
        rows.truncate(select.limit.unwrap_or(usize::MAX));
        let pick = |row: &Vec<Cell>| wanted.iter().map(|(index, _)| row[*index].clone()).collect();
        let columns = select.columns.iter().cloned().zip(wanted.iter().map(|(_, of_type)| *of_type)).collect();
        Ok(Answer::Rows { columns, precision: database.precision, rows: rows.iter().map(pick).collect() })
    }

    fn database_name<'a>(selected: Option<&'a str>, table: &'a TableName) -> Result<&'a str, SqlError> {
        table.database.as_deref().or(selected).ok_or_else(error::no_database_selected)
    }

    fn database(&self, selected: Option<&str>, table: &TableName) -> Result<&Database, SqlError> {
        self.databases.get(Self::database_name(selected, table)?).ok_or_else(error::no_database)
    }

    fn database_mut(&mut self, selected: Option<&str>, table: &TableName) -> Result<&mut Database, SqlError> {
        self.databases.get_mut(Self::database_name(selected, table)?).ok_or_else(error::no_database)
    }

    fn supertable(&self, selected: Option<&str>, name: &TableName) -> Result<&Supertable, SqlError> {
        self.database(selected, name)?.supertables.get(&name.table).ok_or_else(error::no_table)
    }
}

/// A condition with its column's place, first among the columns and then among the tags.
struct Resolved {
    index: usize,
    operator: &'static str,
    cells: Vec<Cell>,
}

impl Resolved {
    fn holds(&self, row: &[Cell]) -> bool {
        let cell = &row[self.index];
        self.cells.iter().any(|wanted| match self.operator {
            "=" => cell == wanted,
            "<=" => cell <= wanted,
            ">=" => cell >= wanted,
            "<" => cell < wanted,
            _ => cell > wanted,
        })
    }
}

impl Supertable {
    fn check(&self) -> Result<(), SqlError> {
        let names: HashSet<_> = self.columns.iter().chain(&self.tags).map(|(name, _)| name).collect();
        if names.len() < self.columns.len() + self.tags.len() {
            return Err(error::duplicated_columns());
        }
        let bytes = |columns: &[(String, Type)]| columns.iter().map(|(_, of_type)| of_type.bytes()).sum::<usize>();
        if self.columns[0].1 != Type::Timestamp || self.columns.len() < 2 {
            return Err(error::bad_type("the first column is a timestamp, and there is another one"));
        }
        if bytes(&self.columns) > MAX_ROW_BYTES || bytes(&self.tags) > MAX_TAG_BYTES {
            return Err(error::bad_row_bytes());
        }
        Ok(())
    }

    /// The place and the type of a column or a tag.
    fn find(&self, name: &str) -> Result<(usize, Type), SqlError> {
        let mut all = self.columns.iter().chain(&self.tags).enumerate();
        let found = all.find(|(_, (column, _))| column == name);
        found.map(|(index, (_, of_type))| (index, *of_type)).ok_or_else(|| error::no_column(name))
    }

    fn resolve(&self, condition: &Condition, precision: Precision) -> Result<Resolved, SqlError> {
        let (index, of_type) = self.find(&condition.column)?;
        let cells = condition.values.iter().map(|value| cell(&condition.column, of_type.unbounded(), value, precision));
        Ok(Resolved { index, operator: condition.operator, cells: cells.collect::<Result<_, _>>()? })
    }

    fn tag_cells(&self, using: &Using, precision: Precision) -> Result<Vec<Cell>, SqlError> {
        assign(&self.tags, using.names.as_deref(), &using.values, precision, error::tags_do_not_match)
    }

    fn row_cells(
        &self,
        names: Option<&[String]>,
        values: &[Literal],
        precision: Precision,
    ) -> Result<Vec<Cell>, SqlError> {
        assign(&self.columns, names, values, precision, || error::syntax("column count doesn't match value count"))
    }
}

/// The values in the order of the columns; those that are not named are null.
fn assign(
    columns: &[(String, Type)],
    names: Option<&[String]>,
    values: &[Literal],
    precision: Precision,
    mismatch: impl Fn() -> SqlError,
) -> Result<Vec<Cell>, SqlError> {
    if values.len() != names.map_or(columns.len(), <[_]>::len) {
        return Err(mismatch());
    }
    let Some(names) = names else {
        let pairs = columns.iter().zip(values);
        return pairs.map(|((name, of_type), value)| cell(name, *of_type, value, precision)).collect();
    };
    let mut cells = vec![Cell::Null; columns.len()];
    for (name, value) in names.iter().zip(values) {
        let index = columns.iter().position(|(column, _)| column == name).ok_or_else(|| error::no_column(name))?;
        cells[index] = cell(name, columns[index].1, value, precision)?;
    }
    Ok(cells)
}

/// The oldest time that a database keeps.
fn oldest(precision: Precision) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    (now - KEEP_DAYS * 24 * 3600).cast_signed() * units(precision)
}

#[cfg(test)]
mod tests;

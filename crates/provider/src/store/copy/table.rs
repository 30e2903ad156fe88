//! What a copy knows of the schema: in which order rows are read, and what SQLite writes otherwise than PostgreSQL. The
//! tables' columns and primary keys are those of [`SHAPE`].

use crate::store::driver::postgres::shape::SHAPE;
use std::sync::LazyLock;

/// A table with its columns as PostgreSQL has them: the form that both databases are compared in.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// Those of the primary key first, the tenant before all.
    pub(super) columns: Vec<&'static str>,
    /// The primary key, which is the order of rows on PostgreSQL.
    order: &'static str,
    /// Order on SQLite in which each tenant's rows come in the same order.
    sqlite_order: &'static str,
    /// Index to read along on SQLite, where that is not the table itself.
    sqlite_index: &'static str,
    /// Columns that SQLite has otherwise.
    sqlite_odd: &'static [Odd],
    /// Columns of SQLite that are not copied: they are made anew, and nothing reads them.
    pub(super) sqlite_own: &'static [&'static str],
    /// Rows that every database has from its beginning are left out.
    only: &'static str,
    /// Keys are given out by a counter.
    pub(super) is_numbered: bool,
}

/// A column that SQLite has otherwise.
struct Odd {
    column: &'static str,
    /// Reads it.
    read: &'static str,
    /// The column of SQLite and the value that is written there; nothing where it is no column of its own.
    write: Option<(&'static str, &'static str)>,
}

/// A table that is the same on both databases.
fn plain(name: &'static str) -> Table {
    let key = format!("constraint {name}_pkey of {name} is PRIMARY KEY (");
    let order = SHAPE.lines().find_map(|line| line.strip_prefix(&key));
    let order = order.and_then(|key| key.strip_suffix(')')).unwrap_or("");
    let column = format!("table {name} has the column ");
    let all = SHAPE.lines().filter_map(|line| line.strip_prefix(&column));
    let names = all.filter_map(|column| column.split(' ').next());
    let mut columns: Vec<&str> = order.split(", ").collect();
    columns.extend(names.filter(|name| !order.split(", ").any(|key| key == *name)));
    Table {
        name,
        columns,
        order,
        sqlite_order: order,
        sqlite_index: "",
        sqlite_odd: &[],
        sqlite_own: &[],
        only: "",
        is_numbered: false,
    }
}

/// The same of a table whose keys are given out by a counter.
fn numbered(name: &'static str) -> Table {
    Table {
        sqlite_order: "key",
        is_numbered: true,
        ..plain(name)
    }
}

/// All tables, each after those that it refers to.
pub(super) static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| {
    vec![
        numbered("tenant"),
        plain("declared"),
        numbered("schedule"),
        numbered("label"),
        numbered("slot"),
        Table {
            sqlite_order: "key",
            ..plain("slot_removed")
        },
        plain("slot_day"),
        numbered("appointment"),
        Table {
            sqlite_order: "appointment, version",
            sqlite_index: "appointment_version_number",
            sqlite_own: &["key"],
            ..plain("appointment_version")
        },
        numbered("document_link"),
        Table {
            sqlite_order: "key",
            sqlite_odd: &[
                Odd {
                    column: "tenant",
                    read: "key >> 40",
                    write: None,
                },
                Odd {
                    column: "seq",
                    read: "key & 1099511627775",
                    write: Some(("key", "(?1 << 40) + ?2")),
                },
            ],
            ..plain("audit")
        },
        Table {
            // PostgreSQL has a row of tenant 0 to lock; it is always the same.
            only: "tenant > 0",
            ..plain("audit_head")
        },
        Table {
            sqlite_odd: &[Odd {
                column: "tenant",
                read: "coalesce(tenant, 0)",
                write: Some(("tenant", "nullif(?1, 0)")),
            }],
            ..numbered("referral")
        },
        Table {
            sqlite_order: "referral",
            sqlite_odd: &[Odd {
                column: "tenant",
                read: "(SELECT coalesce(r.tenant, 0) FROM referral r WHERE r.key = referral)",
                write: None,
            }],
            ..plain("referral_message")
        },
    ]
});

impl Table {
    fn odd(&self, column: &str) -> Option<&Odd> {
        self.sqlite_odd.iter().find(|odd| odd.column == column)
    }

    /// The columns as a database has them.
    pub(super) fn columns_in(&self, is_sqlite: bool) -> Vec<&'static str> {
        if !is_sqlite {
            return self.columns.clone();
        }
        let copied = self
            .columns
            .iter()
            .filter_map(|column| match self.odd(column) {
                Some(odd) => odd.write.map(|(name, _)| name),
                None => Some(*column),
            });
        copied.chain(self.sqlite_own.iter().copied()).collect()
    }

    /// Reads all rows in order.
    pub(super) fn read(&self, is_sqlite: bool) -> String {
        let columns: Vec<&str> = self
            .columns
            .iter()
            .map(|column| match self.odd(column).filter(|_| is_sqlite) {
                Some(odd) => odd.read,
                None => column,
            })
            .collect();
        let index = match (is_sqlite, self.sqlite_index) {
            (false, _) | (_, "") => String::new(),
            (true, index) => format!(" INDEXED BY {index}"),
        };
        format!(
            "SELECT {} FROM {}{index}{} ORDER BY {}",
            columns.join(", "),
            self.name,
            self.filter(),
            match is_sqlite {
                true => self.sqlite_order,
                false => self.order,
            }
        )
    }

    /// Writes so many rows at once; each brings one value for every column.
    pub(super) fn insert(&self, is_sqlite: bool, rows: usize) -> String {
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for (n, column) in self.columns.iter().enumerate() {
            match self.odd(column).filter(|_| is_sqlite) {
                None => {
                    names.push(*column);
                    values.push(format!("?{}", n + 1));
                }
                Some(odd) => {
                    if let Some((name, value)) = odd.write {
                        names.push(name);
                        values.push(value.to_owned());
                    }
                }
            }
        }
        let width = self.columns.len();
        let more = (1..rows).map(|row| {
            let places: Vec<String> = (1..=width)
                .map(|n| format!("?{}", row * width + n))
                .collect();
            format!(", ({})", places.join(", "))
        });
        format!(
            "INSERT INTO {} ({}) VALUES ({}){}",
            self.name,
            names.join(", "),
            values.join(", "),
            more.collect::<String>()
        )
    }

    /// Counts to one if there is any row.
    pub(super) fn any(&self) -> String {
        format!(
            "SELECT count(*) FROM (SELECT 1 FROM {}{} LIMIT 1) one_row",
            self.name,
            self.filter()
        )
    }

    fn filter(&self) -> String {
        match self.only {
            "" => String::new(),
            only => format!(" WHERE {only}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> &'static Table {
        TABLES.iter().find(|t| t.name == name).expect(name)
    }

    #[test]
    fn statements_of_both_databases() {
        let audit = table("audit");
        assert_eq!(
            audit.insert(true, 1),
            "INSERT INTO audit (key, at, body, hash) VALUES ((?1 << 40) + ?2, ?3, ?4, ?5)"
        );
        assert_eq!(
            audit.insert(false, 2),
            "INSERT INTO audit (tenant, seq, at, body, hash) VALUES (?1, ?2, ?3, ?4, ?5), (?6, ?7, ?8, ?9, ?10)"
        );
        assert_eq!(audit.columns_in(true), ["key", "at", "body", "hash"]);
        assert_eq!(
            table("audit_head").read(false),
            "SELECT tenant, at, hash, seq FROM audit_head WHERE tenant > 0 ORDER BY tenant"
        );
    }

    /// The tenant leads, so that rows can be told apart by it.
    #[test]
    fn every_table_leads_with_the_tenant() {
        for table in TABLES.iter() {
            let first = if table.name == "tenant" {
                "key"
            } else {
                "tenant"
            };
            assert_eq!(table.columns[0], first, "{}", table.name);
        }
    }
}

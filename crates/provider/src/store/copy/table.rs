//! What a copy knows of the schema: every table and column, in which order rows are read, and what SQLite writes
//! otherwise than PostgreSQL.

/// A table with its columns as PostgreSQL has them, the tenant first: the form that both databases are compared in.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [&'static str],
    /// Order of rows on PostgreSQL: its primary key.
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

const PLAIN: Table = Table {
    name: "",
    columns: &[],
    order: "tenant, key",
    sqlite_order: "key",
    sqlite_index: "",
    sqlite_odd: &[],
    sqlite_own: &[],
    only: "",
    is_numbered: true,
};

/// All tables, each after those that it refers to.
pub(super) const TABLES: &[Table] = &[
    Table {
        name: "tenant",
        columns: &[
            "key",
            "ods",
            "asid",
            "name",
            "catalogue_version",
            "created_at",
        ],
        order: "key",
        ..PLAIN
    },
    Table {
        name: "declared",
        columns: &["tenant", "kind", "id", "position", "body"],
        order: "tenant, kind, id",
        sqlite_order: "tenant, kind, id",
        is_numbered: false,
        ..PLAIN
    },
    Table {
        name: "schedule",
        columns: &["tenant", "key", "id", "diary", "track"],
        ..PLAIN
    },
    Table {
        name: "label",
        columns: &["tenant", "key", "text"],
        ..PLAIN
    },
    Table {
        name: "slot",
        columns: &[
            "tenant",
            "key",
            "schedule",
            "start",
            "finish",
            "uuid",
            "status",
            "held",
            "channel",
            "template",
            "release",
            "published_at",
            "held_first",
        ],
        ..PLAIN
    },
    Table {
        name: "slot_removed",
        columns: &[
            "tenant",
            "key",
            "schedule",
            "start",
            "finish",
            "uuid",
            "template",
            "published_at",
            "removed_at",
        ],
        is_numbered: false,
        ..PLAIN
    },
    Table {
        name: "slot_day",
        columns: &["tenant", "schedule", "day", "version"],
        order: "tenant, schedule, day",
        sqlite_order: "tenant, schedule, day",
        is_numbered: false,
        ..PLAIN
    },
    Table {
        name: "appointment",
        columns: &[
            "tenant",
            "key",
            "id",
            "version",
            "status",
            "live",
            "slot",
            "schedule",
            "start",
            "finish",
            "day",
            "service",
            "template",
            "release",
            "nhs_number",
            "booked_at",
            "booked_asid",
            "booked_ods",
            "booked_kind",
            "cancelled_at",
            "cancelled_asid",
            "cancelled_ods",
            "booked_claimed",
        ],
        ..PLAIN
    },
    Table {
        name: "appointment_version",
        columns: &[
            "tenant",
            "appointment",
            "version",
            "status",
            "at",
            "asid",
            "ods",
            "request_id",
            "json",
            "received",
        ],
        order: "tenant, appointment, version",
        sqlite_order: "appointment, version",
        sqlite_index: "appointment_version_number",
        sqlite_own: &["key"],
        is_numbered: false,
        ..PLAIN
    },
    Table {
        name: "document_link",
        columns: &[
            "tenant",
            "key",
            "document",
            "appointment",
            "linked_at",
            "ended_at",
        ],
        ..PLAIN
    },
    Table {
        name: "audit",
        columns: &["tenant", "seq", "at", "body", "hash"],
        order: "tenant, seq",
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
        is_numbered: false,
        ..PLAIN
    },
    Table {
        name: "audit_head",
        columns: &["tenant", "seq", "at", "hash"],
        order: "tenant",
        sqlite_order: "tenant",
        // PostgreSQL has a row of tenant 0 to lock; it is always the same.
        only: "tenant > 0",
        is_numbered: false,
        ..PLAIN
    },
    Table {
        name: "referral",
        columns: &[
            "tenant",
            "key",
            "id",
            "received_at",
            "state",
            "wire",
            "tracking",
            "service",
            "sender",
            "document",
            "document_hash",
            "set_id",
            "version",
            "replaces",
            "author",
            "nhs_number",
            "appointment_url",
            "case_id",
            "matched_at",
            "matched_by",
            "code",
            "reason",
            "note",
            "closed_at",
            "closed_by",
            "closed_because",
            "message_hash",
            "bytes",
        ],
        sqlite_odd: &[Odd {
            column: "tenant",
            read: "coalesce(tenant, 0)",
            write: Some(("tenant", "nullif(?1, 0)")),
        }],
        ..PLAIN
    },
    Table {
        name: "referral_message",
        columns: &["tenant", "referral", "body"],
        order: "tenant, referral",
        sqlite_order: "referral",
        sqlite_odd: &[Odd {
            column: "tenant",
            read: "(SELECT coalesce(r.tenant, 0) FROM referral r WHERE r.key = referral)",
            write: None,
        }],
        is_numbered: false,
        ..PLAIN
    },
];

impl Table {
    fn odd(&self, column: &str) -> Option<&Odd> {
        self.sqlite_odd.iter().find(|odd| odd.column == column)
    }

    /// The columns as a database has them.
    pub(super) fn columns_in(&self, is_sqlite: bool) -> Vec<&'static str> {
        if !is_sqlite {
            return self.columns.to_vec();
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
            "SELECT tenant, seq, at, hash FROM audit_head WHERE tenant > 0 ORDER BY tenant"
        );
    }

    /// The tenant leads, so that rows can be told apart by it.
    #[test]
    fn every_table_leads_with_the_tenant() {
        for table in TABLES {
            let first = if table.name == "tenant" {
                "key"
            } else {
                "tenant"
            };
            assert_eq!(table.columns[0], first, "{}", table.name);
        }
    }
}

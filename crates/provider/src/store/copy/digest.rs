//! A digest over the rows of a table, the same for the same rows on either database.
//!
//! Each tenant's rows are taken in the order of the key, and the tenants in theirs. A row is the sequence of its cells
//! ([`Cell::digest_into`]). Tenants may come mixed, as SQLite keeps them, since each has a digest of its own until the
//! end.

use crate::store::driver::Cell;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Rows of one table so far.
#[derive(Default)]
pub(super) struct Digest {
    tenants: BTreeMap<i64, Sha256>,
    rows: u64,
}

impl Digest {
    /// Adds a row; its first cell tells the tenant.
    pub(super) fn add(&mut self, row: &[Cell<'_>]) {
        let tenant = match row.first() {
            Some(Cell::Int(tenant)) => *tenant,
            _ => 0,
        };
        let sha = self.tenants.entry(tenant).or_default();
        row.iter().for_each(|cell| cell.digest_into(sha));
        self.rows += 1;
    }

    /// Rows so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// The digest of all of them.
    pub(super) fn end(self) -> [u8; 32] {
        let mut sha = Sha256::new();
        for (tenant, rows) in self.tenants {
            sha.update(tenant.to_be_bytes());
            sha.update(rows.finalize());
        }
        sha.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[&[Cell<'_>]]) -> [u8; 32] {
        let mut digest = Digest::default();
        rows.iter().for_each(|row| digest.add(row));
        digest.end()
    }

    #[test]
    fn tenants_may_come_mixed_but_rows_of_one_in_order() {
        let (a, b, c) = (
            [Cell::Int(1), Cell::Text("a")],
            [Cell::Int(1), Cell::Text("b")],
            [Cell::Int(2), Cell::Text("c")],
        );
        assert_eq!(of(&[&a, &b, &c]), of(&[&a, &c, &b]));
        assert_ne!(of(&[&a, &b, &c]), of(&[&b, &a, &c]));
        assert_ne!(of(&[&a, &b]), of(&[&a, &b, &c]));
    }

    #[test]
    fn what_looks_alike_is_told_apart() {
        let one = |cells: &[Cell<'_>]| of(&[cells]);
        let all = [
            one(&[Cell::Int(1), Cell::Null]),
            one(&[Cell::Int(1), Cell::Int(0)]),
            one(&[Cell::Int(1), Cell::Text("")]),
            one(&[Cell::Int(1), Cell::Bytes(b"")]),
            one(&[Cell::Int(1), Cell::Text("ab"), Cell::Text("c")]),
            one(&[Cell::Int(1), Cell::Text("a"), Cell::Text("bc")]),
        ];
        for (n, first) in all.iter().enumerate() {
            assert!(!all[n + 1..].contains(first), "{n}");
        }
    }
}

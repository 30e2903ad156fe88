//! A digest over the rows of a table, the same for the same rows on either database.
//!
//! Each tenant's rows are taken in the order of the key, and the tenants in theirs. A row is the sequence of its values
//! ([`Value::digest_into`]). Tenants may come mixed, as SQLite keeps them, since each has a digest of its own until the
//! end.

use crate::store::driver::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Rows of one table so far.
#[derive(Default)]
pub(super) struct Digest {
    tenants: BTreeMap<i64, Sha256>,
    rows: u64,
}

impl Digest {
    /// Adds a row; its first value tells the tenant.
    pub(super) fn add(&mut self, row: &[Value<'_>]) {
        let tenant = match row.first() {
            Some(Value::Int(tenant)) => *tenant,
            _ => 0,
        };
        let sha = self.tenants.entry(tenant).or_default();
        row.iter().for_each(|value| value.digest_into(sha));
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

    fn of(rows: &[&[Value<'_>]]) -> [u8; 32] {
        let mut digest = Digest::default();
        rows.iter().for_each(|row| digest.add(row));
        digest.end()
    }

    #[test]
    fn tenants_may_come_mixed_but_rows_of_one_in_order() {
        let (a, b, c) = (
            [Value::Int(1), Value::from("a")],
            [Value::Int(1), Value::from("b")],
            [Value::Int(2), Value::from("c")],
        );
        assert_eq!(of(&[&a, &b, &c]), of(&[&a, &c, &b]));
        assert_ne!(of(&[&a, &b, &c]), of(&[&b, &a, &c]));
        assert_ne!(of(&[&a, &b]), of(&[&a, &b, &c]));
    }

    #[test]
    fn what_looks_alike_is_told_apart() {
        let one = |values: &[Value<'_>]| of(&[values]);
        let all = [
            one(&[Value::Int(1), Value::Null]),
            one(&[Value::Int(1), Value::Int(0)]),
            one(&[Value::Int(1), Value::from("")]),
            one(&[Value::Int(1), Value::from([].as_slice())]),
            one(&[Value::Int(1), Value::from("ab"), Value::from("c")]),
            one(&[Value::Int(1), Value::from("a"), Value::from("bc")]),
        ];
        for (n, first) in all.iter().enumerate() {
            assert!(!all[n + 1..].contains(first), "{n}");
        }
    }
}

//! The key of a tenant, used everywhere behind the edge.

/// Key of a tenant in this database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantKey(pub(crate) i64);

#[cfg(test)]
impl TenantKey {
    /// Any key, for tests without a database.
    pub(crate) const fn of_test(number: i64) -> TenantKey {
        TenantKey(number)
    }
}

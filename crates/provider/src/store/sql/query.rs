//! A statement that is put together from criteria: its text so far and its values.

use crate::store::driver::Value;

/// A statement in the making.
pub(super) struct Query<'f> {
    pub(super) sql: String,
    pub(super) values: Vec<Value<'f>>,
}

impl<'f> Query<'f> {
    pub(super) fn new(sql: String, values: Vec<Value<'f>>) -> Query<'f> {
        Query { sql, values }
    }

    /// Adds a value and returns its mark.
    pub(super) fn mark(&mut self, value: impl Into<Value<'f>>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    /// Adds a condition with one value, which stands where the condition says `??`.
    pub(super) fn and(&mut self, condition: &str, value: impl Into<Value<'f>>) {
        let mark = self.mark(value);
        self.sql.push_str(" AND ");
        self.sql.push_str(&condition.replace("??", &mark));
    }
}

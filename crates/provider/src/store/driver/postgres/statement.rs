//! Statements as the store writes them, as PostgreSQL wants them.

/// Turns `?1` into `$1` outside of quoted text.
pub(super) fn numbered(sql: &str) -> String {
    let (mut out, mut quoted) = (String::with_capacity(sql.len()), false);
    for c in sql.chars() {
        match c {
            '\'' => quoted = !quoted,
            '?' if !quoted => {
                out.push('$');
                continue;
            }
            _ => {}
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::numbered;

    #[test]
    fn parameters_are_numbered_and_text_is_left_alone() {
        assert_eq!(
            numbered("SELECT a FROM t WHERE b = ?1 AND c = '?2' AND d = ?12"),
            "SELECT a FROM t WHERE b = $1 AND c = '?2' AND d = $12"
        );
    }
}

//! Puts numbers into sentences: "1 slot", "2 slots".

use std::fmt::Display;

/// `one` for the number 1, else `many`.
pub fn plural<'w, N: PartialEq + From<u8>>(n: N, one: &'w str, many: &'w str) -> &'w str {
    match n == N::from(1) {
        true => one,
        false => many,
    }
}

/// A number and the noun for it.
pub fn counted<N: PartialEq + From<u8> + Display>(n: N, one: &str, many: &str) -> String {
    let number = n.to_string();
    format!("{number} {}", plural(n, one, many))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stands_alone() {
        assert_eq!(counted(1_usize, "entry", "entries"), "1 entry");
        assert_eq!(counted(0_u64, "entry", "entries"), "0 entries");
        assert_eq!(counted(21_u32, "slot", "slots"), "21 slots");
    }
}

//! Names that XML can write.

/// True for a name without prefix that XML 1.0 allows for an element.
pub(crate) fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(starts) && chars.all(continues)
}

fn starts(c: char) -> bool {
    matches!(c, 'A'..='Z' | 'a'..='z' | '_')
        || matches!(
            u32::from(c),
            0xC0..=0xD6
                | 0xD8..=0xF6
                | 0xF8..=0x2FF
                | 0x370..=0x37D
                | 0x37F..=0x1FFF
                | 0x200C..=0x200D
                | 0x2070..=0x218F
                | 0x2C00..=0x2FEF
                | 0x3001..=0xD7FF
                | 0xF900..=0xFDCF
                | 0xFDF0..=0xFFFD
                | 0x1_0000..=0xE_FFFF
        )
}

fn continues(c: char) -> bool {
    starts(c)
        || matches!(c, '0'..='9' | '-' | '.' | '\u{b7}')
        || matches!(u32::from(c), 0x300..=0x36F | 0x203F..=0x2040)
}

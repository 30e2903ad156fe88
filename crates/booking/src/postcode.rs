//! Checks the form of postcodes, as in the NHS Data Dictionary.

/// True for a United Kingdom postcode, `GIR 0AA` or a British forces post office number (`BFPO 57`), in any case, with or
/// without spaces. Does not check that it exists.
pub fn is_postcode(text: &str) -> bool {
    let compact: String = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_ascii_uppercase())
        .collect();
    if compact == "GIR0AA" {
        return true;
    }
    if let Some(number) = compact.strip_prefix("BFPO") {
        return (1..=4).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    }
    let cut = compact.len().checked_sub(3);
    let Some((outward, inward)) = cut.and_then(|at| compact.split_at_checked(at)) else {
        return false;
    };
    is_outward(outward) && is_inward(inward)
}

/// The first half: one or two letters, a digit, and at most one further letter or digit.
fn is_outward(text: &str) -> bool {
    let letters = text.bytes().take_while(u8::is_ascii_uppercase).count();
    let district = &text.as_bytes()[letters..];
    (1..=2).contains(&letters)
        && (1..=2).contains(&district.len())
        && district[0].is_ascii_digit()
        && district.iter().all(u8::is_ascii_alphanumeric)
}

/// The second half: a digit and two letters.
fn is_inward(text: &str) -> bool {
    matches!(text.as_bytes(), [d, a, b] if d.is_ascii_digit() && a.is_ascii_uppercase() && b.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_data_dictionary_is_known() {
        for right in [
            "LS99 9ZZ",
            "ls999zz",
            "M1 1AA",
            "EC1A 1BB",
            "W1A 0AX",
            "B33 8TH",
            " GIR 0AA",
            "gir0aa",
            "BFPO 57",
            "bfpo 1234",
            "BF1 3AA",
            "ZZ99 3VZ",
        ] {
            assert!(is_postcode(right), "{right}");
        }
        for wrong in [
            "",
            "LS99",
            "12345",
            "LS99 ZZZ",
            "LLL9 9ZZ",
            "LS999 9ZZ9",
            "BFPO",
            "BFPO 12345",
            "BFPO X",
            "GIR 0AB",
            "nowhere",
            "LS99 9Zé",
            "é1 1AA",
        ] {
            assert!(!is_postcode(wrong), "{wrong}");
        }
    }
}

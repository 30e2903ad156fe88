//! The filters of the Standard: several attributes that must equal a value (NAT-SDS-02, NAT-SDS-03, NAT-SDS-05).
//!
//! On the wire a value is a string of bytes of its own, so that nothing in it can change the filter. As a text, for
//! logs, it is escaped by RFC 4515 (NAT-SDS-06).

use ldap3_proto::proto::LdapFilter;
use std::fmt;

/// Attributes with the values that they must have, all of them.
pub struct Filter(Vec<(String, String)>);

impl Filter {
    /// All of these.
    pub fn all(pairs: &[(&str, &str)]) -> Filter {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Filter(pairs.iter().map(owned).collect())
    }

    /// For the wire.
    pub fn encoded(&self) -> LdapFilter {
        let each = self.0.iter().cloned();
        LdapFilter::And(each.map(|(n, v)| LdapFilter::Equality(n, v)).collect())
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(&")?;
        for (name, value) in &self.0 {
            write!(f, "({name}=")?;
            for byte in value.bytes() {
                match byte {
                    b'*' | b'(' | b')' | b'\\' | 0..=0x1f | 0x7f.. => write!(f, "\\{byte:02x}")?,
                    plain => write!(f, "{}", char::from(plain))?,
                }
            }
            f.write_str(")")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: NAT-SDS-06
    #[test]
    fn a_value_cannot_leave_its_place() {
        let hostile = "ZZ901-99)(objectClass=*\\\0é";
        let filter = Filter::all(&[("objectClass", "nhsMhs"), ("nhsMHSPartyKey", hostile)]);
        assert_eq!(
            filter.to_string(),
            "(&(objectClass=nhsMhs)(nhsMHSPartyKey=ZZ901-99\\29\\28objectClass=\\2a\\5c\\00\\c3\\a9))"
        );
        let LdapFilter::And(parts) = filter.encoded() else {
            panic!("not an and")
        };
        assert_eq!(
            parts[1],
            LdapFilter::Equality("nhsMHSPartyKey".into(), hostile.into())
        );
    }
}

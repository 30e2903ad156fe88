//! The rate limits of a consumer, as declared.

/// Limits of one consumer; zero means no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// Requests a second, in the long run.
    pub per_second: u32,
    /// Requests at once after a pause.
    pub burst: u32,
    /// Requests under way at the same time.
    pub under_way: u32,
}

impl Allowance {
    /// True when nothing is limited.
    pub(crate) fn is_unlimited(self) -> bool {
        self.per_second == 0 && self.under_way == 0
    }

    /// These limits, with the values of a declaration in place of the defaults.
    #[must_use]
    pub fn overridden(
        self,
        per_second: Option<u32>,
        burst: Option<u32>,
        under_way: Option<u32>,
    ) -> Allowance {
        Allowance {
            per_second: per_second.unwrap_or(self.per_second),
            burst: burst.unwrap_or(match per_second {
                // The default burst belongs to another rate, so it does not apply.
                Some(_) => 0,
                None => self.burst,
            }),
            under_way: under_way.unwrap_or(self.under_way),
        }
    }

    /// Requests at once after a pause; at least one.
    pub(crate) fn burst(self) -> u64 {
        u64::from(match self.burst {
            0 => self.per_second,
            burst => burst,
        })
        .max(1)
    }
}

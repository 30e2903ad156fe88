//! Chance that can be had again: every decision of a run comes from its seed.

use std::time::Duration;
use uuid::Uuid;

/// A source of numbers (SplitMix64); the same seed gives the same numbers.
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    /// The source of a seed and a name, so that scenarios do not depend on one another.
    pub fn of(seed: u64, name: &str) -> Random {
        let mut random = Random(seed);
        for byte in name.bytes() {
            random.0 = random.0.wrapping_add(u64::from(byte));
            random.number();
        }
        random
    }

    /// Another source that does not repeat this one.
    pub fn branch(&mut self) -> Random {
        Random(self.number())
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below this one; 0 when there is none below it.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.number() % end).unwrap_or(0)
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, cases: usize) -> bool {
        self.below(100) < cases
    }

    /// A time between two.
    pub fn between(&mut self, from_ms: usize, to_ms: usize) -> Duration {
        let ms = from_ms + self.below(to_ms.saturating_sub(from_ms) + 1);
        Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    }

    /// A UUID of version 4.
    pub fn uuid(&mut self) -> Uuid {
        let pair = (u128::from(self.number()) << 64) | u128::from(self.number());
        uuid::Builder::from_random_bytes(pair.to_be_bytes()).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_and_another_gives_another() {
        let three = |seed, name| {
            let mut random = Random::of(seed, name);
            [random.uuid(), random.uuid(), random.uuid()]
        };
        assert_eq!(three(7, "race"), three(7, "race"));
        assert_ne!(three(7, "race"), three(8, "race"));
        assert_ne!(three(7, "race"), three(7, "cut"));
        assert_eq!(three(7, "race")[0].get_version_num(), 4);
    }

    #[test]
    fn bounds_hold() {
        let mut random = Random::of(1, "");
        assert!((0..1000).all(|_| random.below(7) < 7));
        assert_eq!(random.below(0), 0);
        let time = random.between(5, 9);
        assert!((5..=9).contains(&time.as_millis()));
    }
}

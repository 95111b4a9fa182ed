//! Medians and percentiles of what was measured.

use serde::Serialize;

/// The usual and the bad case, in the unit of what was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Percentiles {
    pub(super) p50: f64,
    pub(super) p99: f64,
}

impl Percentiles {
    /// By the nearest rank; zeros when nothing was measured.
    pub(super) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |percent: usize| {
            let rank = (values.len() * percent).div_ceil(100).max(1);
            values.get(rank - 1).copied().unwrap_or(0.0)
        };
        Self { p50: round(at(50)), p99: round(at(99)) }
    }
}

/// The value in the middle.
pub(super) fn median(values: Vec<f64>) -> f64 {
    Percentiles::of(values).p50
}

/// To a hundredth: more digits would promise more than was measured.
pub(super) fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<f64> = (1..=200_u8).rev().map(f64::from).collect();
        assert_eq!(Percentiles::of(values), Percentiles { p50: 100.0, p99: 198.0 });
    }

    #[test]
    fn one_value_is_its_own_median_and_worst_case() {
        assert_eq!(Percentiles::of(vec![7.0]), Percentiles { p50: 7.0, p99: 7.0 });
    }
}

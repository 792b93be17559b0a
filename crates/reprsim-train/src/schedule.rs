//! Learning-rate schedules, per step.

use std::f64::consts::PI;

use crate::config::ScheduleConfig;

/// The learning rate at `step` of `steps` (from 0) as a share of the peak.
pub(crate) fn factor(schedule: &ScheduleConfig, step: usize, steps: usize) -> f64 {
    let (t, total) = (step as f64, steps.max(1) as f64);
    match *schedule {
        ScheduleConfig::Constant => 1.0,
        ScheduleConfig::Triangular { peak } => {
            let top = peak * total;
            if t < top {
                t / top
            } else {
                (total - t) / (total - top).max(1.0)
            }
        }
        ScheduleConfig::Cosine { warmup, floor } => {
            let warm = warmup * total;
            if t < warm {
                (t + 1.0) / warm.max(1.0)
            } else {
                let progress = (t - warm) / (total - warm).max(1.0);
                floor + (1.0 - floor) * 0.5 * (1.0 + (PI * progress).cos())
            }
        }
    }
    .clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triangular_as_published() {
        // 0 at the first step, the peak at 20 %, 0 at the end.
        let schedule = ScheduleConfig::Triangular { peak: 0.2 };
        assert_eq!(factor(&schedule, 0, 100), 0.0);
        assert_eq!(factor(&schedule, 10, 100), 0.5);
        assert_eq!(factor(&schedule, 20, 100), 1.0);
        assert_eq!(factor(&schedule, 60, 100), 0.5);
        assert_eq!(factor(&schedule, 100, 100), 0.0);
    }

    #[test]
    fn cosine_warms_up_and_falls() {
        let cosine = |floor| ScheduleConfig::Cosine { warmup: 0.1, floor };
        let schedule = cosine(0.0);
        assert!((factor(&schedule, 0, 100) - 0.1).abs() < 1e-12);
        assert_eq!(factor(&schedule, 10, 100), 1.0);
        assert!((factor(&schedule, 55, 100) - 0.5).abs() < 1e-12);
        assert!(factor(&schedule, 99, 100) < 0.01);
        let schedule = cosine(0.1);
        assert_eq!(factor(&schedule, 10, 100), 1.0);
        assert!((factor(&schedule, 55, 100) - 0.55).abs() < 1e-12);
        assert!((factor(&schedule, 100, 100) - 0.1).abs() < 1e-12);
    }
}

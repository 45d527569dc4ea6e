//! The numbers of a progress line, and how fast they change.

use std::time::{Duration, Instant};

use indicatif::HumanDuration;

/// The numbers of a progress line.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    /// Documents written.
    pub documents: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Request units charged.
    pub request_charge: f64,
    /// The fraction that is done, between 0 and 1, if the end is known.
    pub done: Option<f64>,
}

/// Rates over the last few seconds.
#[derive(Debug)]
pub struct Rates {
    started: Instant,
    last: Instant,
    progress: Progress,
    pub(super) bytes_per_second: f64,
    pub(super) request_units_per_second: f64,
}

impl Default for Rates {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            started: now,
            last: now,
            progress: Progress::default(),
            bytes_per_second: 0.0,
            request_units_per_second: 0.0,
        }
    }
}

impl Rates {
    pub(super) fn note(&mut self, progress: &Progress) {
        let seconds = self.last.elapsed().as_secs_f64();
        if seconds < 0.05 {
            return;
        }
        // A moving average with a half-life of two seconds.
        let keep = 0.5_f64.powf(seconds / 2.0);
        let blend = |old: f64, new: f64| {
            if old == 0.0 {
                new
            } else {
                old * keep + new * (1.0 - keep)
            }
        };
        let bytes = progress.bytes.saturating_sub(self.progress.bytes) as f64 / seconds;
        let units = (progress.request_charge - self.progress.request_charge).max(0.0) / seconds;
        self.bytes_per_second = blend(self.bytes_per_second, bytes);
        self.request_units_per_second = blend(self.request_units_per_second, units);
        self.last = Instant::now();
        self.progress = *progress;
    }

    pub(super) fn time_left(&self, done: f64) -> String {
        if done <= 0.01 {
            return String::new();
        }
        let left = self.started.elapsed().as_secs_f64() * (1.0 - done) / done;
        format!(
            "{} left",
            HumanDuration(Duration::from_secs_f64(left.clamp(0.0, 1e9)))
        )
    }
}

//! The text format of Prometheus, version 0.0.4.
//!
//! The figures exist already, so there is no registry: a family is written from where its figures are.

use std::fmt::{Display, Write};

/// The type of an answer with it.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What begins the name of each metric of ours.
const PREFIX: &str = "cosmos_tail_";

/// The type of a metric.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts by upper bounds.
    Histogram,
}

/// A text with metrics.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    text: String,
    /// The name of the family that is being written.
    family: String,
}

impl Exposition {
    /// Begins a family of ours: its name without the prefix, and what it is in one line.
    pub(super) fn family(&mut self, name: &str, kind: Kind, help: &str) {
        self.family_of(PREFIX, name, kind, help);
    }

    /// Begins a family whose name begins with `prefix`.
    pub(super) fn family_of(&mut self, prefix: &str, name: &str, kind: Kind, help: &str) {
        self.family = format!("{prefix}{name}");
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let family = &self.family;
        self.text
            .push_str(&format!("# HELP {family} {help}\n# TYPE {family} {kind}\n"));
    }

    /// Writes a sample of the family.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.sample_of("", labels, value);
    }

    /// The same, with a suffix to the name: histograms have several.
    fn sample_of(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(&self.family);
        self.text.push_str(suffix);
        for (index, (name, label)) in labels.iter().enumerate() {
            self.text.push(if index == 0 { '{' } else { ',' });
            self.text.push_str(name);
            self.text.push_str("=\"");
            for c in label.chars() {
                match c {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    c => self.text.push(c),
                }
            }
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        // Writing to a string does not fail.
        writeln!(self.text, " {value}").ok();
    }

    /// Writes a histogram, which is a family of its own.
    pub(super) fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.family(name, Kind::Histogram, help);
        let mut below = 0;
        for (bound, count) in BOUNDS.iter().zip(histogram.counts) {
            below += count;
            self.sample_of("_bucket", &[("le", &bound.to_string())], below);
        }
        self.sample_of("_bucket", &[("le", "+Inf")], histogram.count);
        self.sample_of("_sum", &[], histogram.sum);
        self.sample_of("_count", &[], histogram.count);
    }

    /// The text.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// The upper bounds of a histogram of seconds.
const BOUNDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// Durations in seconds, counted by upper bounds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Histogram {
    counts: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

impl Histogram {
    /// Counts one more.
    pub(super) fn observe(&mut self, seconds: f64) {
        if let Some(at) = BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.counts[at] += 1;
        }
        self.count += 1;
        self.sum += seconds;
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_numbers_are_plain() {
        let mut exposition = Exposition::default();
        exposition.family("lines_total", Kind::Counter, "Lines.");
        exposition.sample(&[("a", "x\"y\\z\n"), ("b", "é")], 3_u64);
        exposition.sample(&[], 1e21);
        exposition.sample(&[], 0.1 + 0.2);
        let expected = "# HELP cosmos_tail_lines_total Lines.\n\
            # TYPE cosmos_tail_lines_total counter\n\
            cosmos_tail_lines_total{a=\"x\\\"y\\\\z\\n\",b=\"é\"} 3\n\
            cosmos_tail_lines_total 1000000000000000000000\n\
            cosmos_tail_lines_total 0.30000000000000004\n";
        assert_eq!(exposition.into_text(), expected);
    }

    #[test]
    fn the_buckets_of_a_histogram_add_up() {
        let mut histogram = Histogram::default();
        for seconds in [0.0005, 0.001, 0.3, 7.0, 60.0] {
            histogram.observe(seconds);
        }
        let mut exposition = Exposition::default();
        exposition.histogram("seconds", "Seconds.", &histogram);
        let text = exposition.into_text();
        let value = |sample: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(sample));
            line.unwrap_or_else(|| panic!("{sample}: {text}"))
                .trim()
                .to_owned()
        };
        assert_eq!(value("cosmos_tail_seconds_bucket{le=\"0.001\"}"), "2");
        assert_eq!(value("cosmos_tail_seconds_bucket{le=\"0.25\"}"), "2");
        assert_eq!(value("cosmos_tail_seconds_bucket{le=\"0.5\"}"), "3");
        assert_eq!(value("cosmos_tail_seconds_bucket{le=\"10\"}"), "4");
        assert_eq!(value("cosmos_tail_seconds_bucket{le=\"+Inf\"}"), "5");
        assert_eq!(value("cosmos_tail_seconds_count"), "5");
    }
}

//! Writes the text format of Prometheus (exposition format 0.0.4).

use std::fmt::{Display, Write};

/// Media type of the text.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows while the process runs.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by buckets.
    Histogram,
}

/// The text so far.
#[derive(Default)]
pub struct Text(String);

impl Text {
    /// Writes help and type of a metric; its values follow.
    pub fn head(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        // Writing into a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// Writes a value. `labels` come from [`label`], separated by commas.
    pub fn value(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = match labels.is_empty() {
            true => writeln!(self.0, "{name} {value}"),
            false => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }

    /// Writes a metric with one value and no labels.
    pub fn one(&mut self, name: &str, kind: Kind, help: &str, value: f64) {
        self.head(name, kind, help);
        self.value(name, "", value);
    }

    /// The text, for appending.
    pub fn raw(&mut self) -> &mut String {
        &mut self.0
    }

    /// The finished text.
    pub fn finish(self) -> String {
        self.0
    }
}

/// `name="value"`, the value escaped.
pub fn label(name: &str, value: &str) -> String {
    let mut out = format!("{name}=\"");
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        assert_eq!(label("a", "b\"c\\d\ne"), "a=\"b\\\"c\\\\d\\ne\"");
    }

    #[test]
    fn a_metric_has_help_type_and_value() {
        let mut text = Text::default();
        text.one("up", Kind::Gauge, "Whether it is.", 1.0);
        assert_eq!(
            text.finish(),
            "# HELP up Whether it is.\n# TYPE up gauge\nup 1\n"
        );
    }
}

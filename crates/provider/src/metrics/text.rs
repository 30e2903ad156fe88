//! Writes the text format of Prometheus (exposition format 0.0.4).

use std::fmt::{Display, Write};

/// Media type of the text.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Every metric, one a line: its name, whether it is a counter, a gauge or a histogram, and its help.
const FAMILIES: &str = include_str!("families.txt");

/// The text so far.
#[derive(Default)]
pub struct Text(String);

impl Text {
    /// Writes help and type of a metric; its values follow.
    pub fn head(&mut self, name: &str) {
        let mut families = FAMILIES.lines().filter_map(|line| line.split_once(' '));
        let family = families.find(|(of, _)| *of == name);
        debug_assert!(family.is_some(), "{name} is not among the metrics");
        if let Some((kind, help)) = family.and_then(|(_, rest)| rest.split_once(' ')) {
            // Writing into a String cannot fail.
            let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        }
    }

    /// Writes a value. `labels` come from [`labels`].
    pub fn value(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = match labels.is_empty() {
            true => writeln!(self.0, "{name} {value}"),
            false => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }

    /// Writes a metric with one value and no labels.
    pub fn one(&mut self, name: &str, value: impl Display) {
        self.head(name);
        self.value(name, "", value);
    }

    /// Writes a metric with its values, each by its labels.
    pub fn all<V: Display>(&mut self, name: &str, values: impl IntoIterator<Item = (String, V)>) {
        self.head(name);
        for (labels, value) in values {
            self.value(name, &labels, value);
        }
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

/// `name="value",…`, the values escaped.
pub fn labels(pairs: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in pairs {
        let comma = if out.is_empty() { "" } else { "," };
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        let _ = write!(out, "{comma}{name}=\"{}\"", value.replace('\n', "\\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let two = labels(&[("a", "b\"c\\d\ne"), ("f", "g")]);
        assert_eq!(two, "a=\"b\\\"c\\\\d\\ne\",f=\"g\"");
    }

    #[test]
    fn a_metric_has_help_type_and_value() {
        let mut text = Text::default();
        text.one("uec_ready", 1);
        assert_eq!(
            text.finish(),
            "# HELP uec_ready 1 while /health/ready says ready.\n# TYPE uec_ready gauge\nuec_ready 1\n"
        );
    }
}

//! Medians, and the tables they are printed in.

use comfy_table::{Table, presets};

/// Median and quartiles of a number that was taken many times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Spread {
    pub(crate) fn of(numbers: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = numbers.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let at = |quarter: usize| sorted[(sorted.len() - 1) * quarter / 4];
        Self { median: at(2), low: at(1), high: at(3) }
    }

    pub(crate) fn percent(self) -> String {
        let Self { median, low, high } = self;
        format!("{:.0} % [{:.0}, {:.0}]", median * 100.0, low * 100.0, high * 100.0)
    }

    pub(crate) fn times(self) -> String {
        format!("{:.2} [{:.2}, {:.2}]", self.median, self.low, self.high)
    }

    /// A time per weight.
    pub(crate) fn nanoseconds(self) -> String {
        format!("{:.3}", self.median * 1e9)
    }

    /// A time per call, in full nanoseconds.
    pub(crate) fn whole_nanoseconds(self) -> String {
        format!("{:.0} [{:.0}, {:.0}]", self.median * 1e9, self.low * 1e9, self.high * 1e9)
    }
}

/// Prints a table in Markdown, under a heading.
pub(crate) fn print<const N: usize>(title: &str, header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(header);
    rows.into_iter().for_each(|row| {
        table.add_row(row);
    });
    println!("\n### {title}\n\n{table}");
}

//! Small multiples of learning curves: a column of panels per group, a row per measure.

use std::ops::Range;

use plotters::{
    coord::types::{RangedCoordf64, RangedCoordi32},
    prelude::*,
};

use super::{
    AnyError, Area, FONT, Figure, draw_title,
    legend::{self, Entry},
    pixel, stacked, text_width,
};
use crate::Estimate;

/// A panel without its legend; wider where a name or a title needs it.
const PANEL: (u32, u32) = (480, 400);
const HEAD: u32 = 60;
const HEAD_SIZE: u32 = 28;
const TITLE: u32 = 40;
const TITLE_SIZE: u32 = 24;
/// Room to the left of a plot, for the axis and its numbers, and to its right.
const LEFT: u32 = 84;
const RIGHT: u32 = 24;

/// Curves over epochs or steps; the rows have the same columns.
#[derive(Debug, Clone)]
pub struct CurveGrid {
    /// Above the whole figure.
    pub title: String,
    /// What is counted from left to right, below each panel.
    pub counted: String,
    /// From top to bottom.
    pub rows: Vec<Row>,
}

/// A measure, drawn over the same range in every panel.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its name, beside the axis.
    pub measure: String,
    /// From bottom to top. What lies outside is drawn on the edge.
    pub range: Range<f64>,
    /// From left to right.
    pub panels: Vec<Panel>,
}

/// Curves that are compared.
#[derive(Debug, Clone)]
pub struct Panel {
    /// Above the panel.
    pub title: String,
    /// In the order in which they are drawn: one over the other.
    pub curves: Vec<Curve>,
}

/// An estimate for each epoch or step.
#[derive(Debug, Clone)]
pub struct Curve {
    /// Its name in the legend.
    pub name: String,
    /// Curves of one pen mean the same thing in every panel.
    pub pen: usize,
    /// After the first epoch or step, the second ...
    pub estimates: Vec<Estimate>,
}

/// Colours that stay apart for every kind of colour vision (Okabe and Ito); a later curve is thinner, so that one below it shows.
const PENS: [(RGBColor, u32); 3] = [(RGBColor(213, 94, 0), 7), (RGBColor(86, 180, 233), 3), (RGBColor(0, 0, 0), 1)];

type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordi32, RangedCoordf64>>;

impl Figure for CurveGrid {
    fn size(&self) -> (u32, u32) {
        let panel = TITLE + self.legend_height() + PANEL.1;
        (stacked(self.panel_width(), self.columns()), HEAD + stacked(panel, self.rows.len()))
    }

    fn draw(&self, area: &Area<'_>) -> Result<(), AnyError> {
        let (head, body) = area.split_vertically(HEAD);
        draw_title(&head, &self.title, HEAD_SIZE)?;
        for (row, area) in self.rows.iter().zip(body.split_evenly((self.rows.len(), 1))) {
            for (panel, area) in row.panels.iter().zip(area.split_evenly((1, self.columns()))) {
                let (title, area) = area.split_vertically(TITLE);
                draw_title(&title, &panel.title, TITLE_SIZE)?;
                let (strip, plot) = area.split_vertically(self.legend_height());
                legend::draw(&panel.entries(), &strip.margin(0, 0, LEFT, RIGHT))?;
                row.draw(panel, &self.counted, &plot)?;
            }
        }
        Ok(())
    }
}

impl CurveGrid {
    fn columns(&self) -> usize {
        self.rows.iter().map(|row| row.panels.len()).max().unwrap_or(1).max(1)
    }

    fn panels(&self) -> impl Iterator<Item = &Panel> {
        self.rows.iter().flat_map(|row| &row.panels)
    }

    /// The width at which every title and every entry of a legend fits.
    fn panel_width(&self) -> u32 {
        let columns = u32::try_from(self.columns()).unwrap_or(u32::MAX);
        let share_of_head = text_width(&self.title, HEAD_SIZE).div_ceil(columns);
        self.panels().map(Panel::width).fold(PANEL.0.max(share_of_head), u32::max)
    }

    /// The height of the highest legend, so that plots stand side by side.
    fn legend_height(&self) -> u32 {
        let room = self.panel_width() - LEFT - RIGHT;
        self.panels().map(|panel| legend::height(&panel.entries(), room)).max().unwrap_or(0)
    }
}

impl Panel {
    fn entries(&self) -> Vec<Entry<'_>> {
        let entries = self.curves.iter().map(|curve| {
            let (colour, thickness) = pen(curve.pen);
            Entry { name: &curve.name, colour, thickness }
        });
        entries.collect()
    }

    fn width(&self) -> u32 {
        let names = self.entries().iter().map(Entry::width).max().unwrap_or(0);
        names.max(text_width(&self.title, TITLE_SIZE)) + LEFT + RIGHT
    }
}

impl Row {
    fn draw(&self, panel: &Panel, counted: &str, area: &Area<'_>) -> Result<(), AnyError> {
        let last = panel.curves.iter().map(|curve| curve.estimates.len()).max().unwrap_or(0);
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .margin_right(RIGHT)
            .x_label_area_size(52)
            .y_label_area_size(LEFT - 12)
            .build_cartesian_2d(0..i32::try_from(last.max(1))?, self.range.clone())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .axis_style(BLACK.mix(0.4))
            .x_labels(5)
            .y_labels(6)
            .label_style((FONT, 19))
            .axis_desc_style((FONT, 20))
            .x_desc(counted)
            .y_desc(&self.measure)
            .draw()?;
        panel.curves.iter().try_for_each(|curve| curve.draw(&mut chart, &self.range))
    }
}

impl Curve {
    fn draw(&self, chart: &mut Chart<'_>, range: &Range<f64>) -> Result<(), AnyError> {
        let inside = |value: f64| value.max(range.start).min(range.end);
        let points: Vec<_> = (1..).zip(&self.estimates).collect();
        // A curve ends where it is not a number, and goes on where it is one again.
        for points in points.split(|(_, estimate)| !estimate.mean.is_finite()).filter(|points| !points.is_empty()) {
            let upper = points.iter().map(|(x, estimate)| (*x, inside(estimate.band().1)));
            let lower = points.iter().map(|(x, estimate)| (*x, inside(estimate.band().0)));
            let band: Vec<_> = upper.chain(lower.rev()).collect();
            let line: Vec<_> = points.iter().map(|(x, estimate)| (*x, inside(estimate.mean))).collect();
            self.draw_piece(chart, band, line)?;
        }
        Ok(())
    }

    fn draw_piece(&self, chart: &mut Chart<'_>, band: Vec<(i32, f64)>, line: Vec<(i32, f64)>) -> Result<(), AnyError> {
        let (colour, width) = pen(self.pen);
        match line[..] {
            // A line of one point shows nothing.
            [point] => {
                chart.draw_series([PathElement::new(band, colour.mix(0.5).stroke_width(width))])?;
                chart.draw_series([Circle::new(point, pixel(width) + 2, colour.filled())])?;
            }
            _ => {
                chart.draw_series([Polygon::new(band, colour.mix(0.18))])?;
                chart.draw_series(LineSeries::new(line, colour.stroke_width(width)))?;
            }
        }
        Ok(())
    }
}

fn pen(number: usize) -> (RGBColor, u32) {
    PENS[number % PENS.len()]
}

//! Small multiples of learning curves: a column of panels per group, a row per measure.

use std::ops::Range;

use plotters::{coord::types::RangedCoordf64, prelude::*};

use super::{AnyError, Area, FONT, Figure, draw_title, stacked};

const PANEL: (u32, u32) = (480, 400);
const HEAD: u32 = 60;

/// Curves over the epochs; the rows have the same columns.
#[derive(Debug, Clone)]
pub struct CurveGrid {
    pub title: String,
    pub rows: Vec<Row>,
}

/// A measure, drawn over the same range in every panel.
#[derive(Debug, Clone)]
pub struct Row {
    pub measure: String,
    pub range: Range<f64>,
    /// A corner that the curves leave free.
    pub legend: Corner,
    pub panels: Vec<Panel>,
}

#[derive(Debug, Clone, Copy)]
pub enum Corner {
    UpperRight,
    LowerRight,
}

#[derive(Debug, Clone)]
pub struct Panel {
    pub title: String,
    pub curves: Vec<Curve>,
}

/// A value for each epoch, and how far it spreads to either side.
#[derive(Debug, Clone)]
pub struct Curve {
    pub name: String,
    /// Curves of one pen mean the same thing in every panel.
    pub pen: usize,
    pub mean: Vec<f64>,
    pub spread: Vec<f64>,
}

/// Colours that stay apart for every kind of colour vision (Okabe and Ito); a later curve is thinner, so that one below it shows.
const PENS: [(RGBColor, u32); 3] = [(RGBColor(213, 94, 0), 4), (RGBColor(86, 180, 233), 6), (RGBColor(0, 0, 0), 2)];

type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

impl Figure for CurveGrid {
    fn size(&self) -> (u32, u32) {
        let columns = self.rows.iter().map(|row| row.panels.len()).max().unwrap_or(1);
        (stacked(PANEL.0, columns), HEAD + stacked(PANEL.1, self.rows.len()))
    }

    fn draw(&self, area: &Area<'_>) -> Result<(), AnyError> {
        let (head, body) = area.split_vertically(HEAD);
        draw_title(&head, &self.title)?;
        for (row, area) in self.rows.iter().zip(body.split_evenly((self.rows.len(), 1))) {
            for (panel, area) in row.panels.iter().zip(area.split_evenly((1, row.panels.len()))) {
                row.draw(panel, &area)?;
            }
        }
        Ok(())
    }
}

impl Row {
    fn draw(&self, panel: &Panel, area: &Area<'_>) -> Result<(), AnyError> {
        let epochs = panel.curves.iter().map(|curve| curve.mean.len()).max().unwrap_or(0);
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .margin_right(24)
            .caption(&panel.title, (FONT, 24))
            .x_label_area_size(52)
            .y_label_area_size(72)
            .build_cartesian_2d(0.0..epochs.max(1) as f64, self.range.clone())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .axis_style(BLACK.mix(0.4))
            .x_labels(5)
            .y_labels(6)
            .label_style((FONT, 19))
            .x_label_formatter(&|epoch| format!("{epoch:.0}"))
            .y_label_formatter(&|value| format!("{value:.1}"))
            .axis_desc_style((FONT, 20))
            .x_desc("epoch")
            .y_desc(&self.measure)
            .draw()?;
        for curve in &panel.curves {
            curve.draw(&mut chart, &self.range)?;
        }
        draw_legend(&mut chart, self.legend)
    }
}

impl Curve {
    /// Leaves out the epochs whose mean lies outside of `range`.
    fn draw(&self, chart: &mut Chart<'_>, range: &Range<f64>) -> Result<(), AnyError> {
        let (colour, width) = PENS[self.pen % PENS.len()];
        let epochs = (1..).map(f64::from);
        let points =
            epochs.zip(self.mean.iter().zip(&self.spread)).filter(|(_, (mean, _))| (range.start..=range.end).contains(*mean));
        let points: Vec<(f64, f64, f64)> = points.map(|(x, (&mean, &spread))| (x, mean, spread)).collect();

        let upper = points.iter().map(|(x, mean, spread)| (*x, (mean + spread).min(range.end)));
        let lower = points.iter().map(|(x, mean, spread)| (*x, (mean - spread).max(range.start)));
        let band: Vec<_> = upper.chain(lower.rev()).collect();
        chart.draw_series([Polygon::new(band, colour.mix(0.18))])?;
        let line = points.iter().map(|&(x, mean, _)| (x, mean));
        chart
            .draw_series(LineSeries::new(line, colour.stroke_width(width)))?
            .label(&self.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 26, y)], colour.stroke_width(width)));
        Ok(())
    }
}

fn draw_legend(chart: &mut Chart<'_>, corner: Corner) -> Result<(), AnyError> {
    let position = match corner {
        Corner::UpperRight => SeriesLabelPosition::UpperRight,
        Corner::LowerRight => SeriesLabelPosition::LowerRight,
    };
    chart
        .configure_series_labels()
        .position(position)
        .margin(14)
        .legend_area_size(36)
        .label_font((FONT, 19))
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.2))
        .draw()?;
    Ok(())
}

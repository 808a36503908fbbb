//! Horizontal bars in groups, with error bars and their numbers.

use std::ops::Range;

use plotters::{
    coord::types::RangedCoordf64,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{AnyError, Area, FONT, Figure, draw_title, pixel, stacked};

/// Of the series; light and dark, to tell them apart in print too.
const COLOURS: [RGBColor; 2] = [RGBColor(190, 190, 190), RGBColor(0, 114, 178)];

const WIDTH: u32 = 1300;
const HEAD: u32 = 60;
const LEGEND: u32 = 40;
const FOOT: u32 = 80;
const GROUP: u32 = 64;
const LABELS: u32 = 360;
/// Room to the right of the bars for their numbers.
const NUMBERS: u32 = 170;
/// The share of a group's height that is filled with bars.
const FILLED: f64 = 0.76;

/// Groups from top to bottom, each with one bar per series.
#[derive(Debug, Clone)]
pub struct BarChart {
    pub title: String,
    pub measure: String,
    pub range: Range<f64>,
    pub series: Vec<String>,
    pub groups: Vec<BarGroup>,
}

#[derive(Debug, Clone)]
pub struct BarGroup {
    pub label: String,
    pub bars: Vec<Bar>,
}

#[derive(Debug, Clone, Copy)]
pub struct Bar {
    pub mean: f64,
    pub spread: f64,
}

type Plot<'a> = DrawingArea<SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

impl Figure for BarChart {
    fn size(&self) -> (u32, u32) {
        (WIDTH, HEAD + LEGEND + stacked(GROUP, self.groups.len()) + FOOT)
    }

    fn draw(&self, area: &Area<'_>) -> Result<(), AnyError> {
        let (head, rest) = area.split_vertically(HEAD);
        draw_title(&head, &self.title)?;
        let (legend, body) = rest.split_vertically(LEGEND);
        self.draw_legend(&legend)?;
        let plot = self.draw_axes(&body)?;
        for (group, top) in self.groups.iter().zip((0..).map(f64::from)) {
            group.draw(area, &plot, top)?;
        }
        Ok(())
    }
}

impl BarChart {
    fn draw_axes<'a>(&self, body: &Area<'a>) -> Result<Plot<'a>, AnyError> {
        // Downwards, so that the first group is on top.
        let groups = self.groups.len() as f64..0.0;
        let mut chart = ChartBuilder::on(body)
            .margin_right(NUMBERS)
            .margin_bottom(16)
            .x_label_area_size(FOOT - 16)
            .y_label_area_size(LABELS)
            .build_cartesian_2d(self.range.clone(), groups.clone())?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .x_labels(6)
            .x_label_formatter(&|value| format!("{value:.1}"))
            .label_style((FONT, 19))
            .axis_desc_style((FONT, 20))
            .x_desc(&self.measure)
            .draw()?;
        let zero = self.range.start;
        chart.draw_series([PathElement::new([(zero, groups.start), (zero, groups.end)], BLACK.mix(0.4))])?;
        Ok(chart.plotting_area().clone())
    }

    fn draw_legend(&self, strip: &Area<'_>) -> Result<(), AnyError> {
        const SWATCH: i32 = 18;
        let style = (FONT, 21).into_text_style(strip).pos(Pos::new(HPos::Left, VPos::Center));
        let middle = pixel(LEGEND) / 2;
        let mut x = pixel(LABELS);
        for (name, colour) in self.series.iter().zip(COLOURS) {
            let corners = [(x, middle - SWATCH / 2), (x + SWATCH, middle + SWATCH / 2)];
            strip.draw(&Rectangle::new(corners, colour.filled()))?;
            strip.draw_text(name, &style, (x + SWATCH + 8, middle))?;
            let (width, _) = strip.estimate_text_size(name, &style)?;
            x += SWATCH + 8 + pixel(width) + 36;
        }
        Ok(())
    }
}

impl BarGroup {
    /// Draws the group between `top` and `top + 1`, its label into the `area` beside the plot.
    fn draw(&self, area: &Area<'_>, plot: &Plot<'_>, top: f64) -> Result<(), AnyError> {
        let (start, end) = (plot.get_x_range().start, plot.get_x_range().end);
        let (x, y) = plot.map_coordinate(&(start, top + 0.5));
        let label = (FONT, 21).into_text_style(area).pos(Pos::new(HPos::Right, VPos::Center));
        area.draw_text(&self.label, &label, (x - 14, y))?;

        let number = (FONT, 19).into_text_style(area).pos(Pos::new(HPos::Left, VPos::Center));
        let height = FILLED / self.bars.len() as f64;
        let mut y = top + (1.0 - FILLED) / 2.0;
        for (bar, colour) in self.bars.iter().zip(COLOURS) {
            let middle = y + height / 2.0;
            plot.draw(&Rectangle::new([(start, y), (bar.mean.max(start), y + height)], colour.filled()))?;
            let (low, high) = (bar.mean - bar.spread, bar.mean + bar.spread);
            plot.draw(&ErrorBar::new_horizontal(middle, low, bar.mean, high, BLACK.filled(), 9))?;
            let (x, y_text) = plot.map_coordinate(&(end, middle));
            area.draw_text(&format!("{:.3} ± {:.3}", bar.mean, bar.spread), &number, (x + 14, y_text))?;
            y += height;
        }
        Ok(())
    }
}

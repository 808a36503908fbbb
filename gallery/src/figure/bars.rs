//! Horizontal bars in groups, with error bars and their numbers.

use std::ops::Range;

use plotters::{
    coord::types::RangedCoordf64,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{
    AnyError, Area, FONT, Figure, draw_title,
    legend::{self, Entry},
    pixel, stacked, text_width,
};
use crate::Estimate;

/// Of the series; light and dark, to tell them apart in print too.
const COLOURS: [RGBColor; 2] = [RGBColor(190, 190, 190), RGBColor(0, 114, 178)];

const HEAD: u32 = 60;
const HEAD_SIZE: u32 = 28;
const LEGEND: u32 = 40;
const FOOT: u32 = 80;
const GROUP: u32 = 64;
/// The least room to the left of the bars for the groups' labels.
const LABELS: u32 = 360;
const LABEL_SIZE: u32 = 21;
/// Between a label and the bars, and left of the label.
const LABEL_MARGIN: u32 = 14;
const BARS: u32 = 770;
/// Room to the right of the bars for their numbers.
const NUMBERS: u32 = 170;
/// The share of a group's height that is filled with bars.
const FILLED: f64 = 0.76;

/// Groups from top to bottom, each with one bar per series.
#[derive(Debug, Clone)]
pub struct BarChart {
    /// Above the whole figure.
    pub title: String,
    /// The name of what the bars measure, below the axis.
    pub measure: String,
    /// From left to right.
    pub range: Range<f64>,
    /// The names of the series, at most two.
    pub series: Vec<String>,
    /// From top to bottom.
    pub groups: Vec<BarGroup>,
}

/// The bars of one thing.
#[derive(Debug, Clone)]
pub struct BarGroup {
    /// The name of the thing, to the left of its bars.
    pub label: String,
    /// One per series.
    pub bars: Vec<Estimate>,
}

type Plot<'a> = DrawingArea<SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

impl Figure for BarChart {
    fn size(&self) -> (u32, u32) {
        (self.labels() + BARS + NUMBERS, HEAD + LEGEND + stacked(GROUP, self.groups.len()) + FOOT)
    }

    fn draw(&self, area: &Area<'_>) -> Result<(), AnyError> {
        let (head, rest) = area.split_vertically(HEAD);
        draw_title(&head, &self.title, HEAD_SIZE)?;
        let (strip, body) = rest.split_vertically(LEGEND);
        legend::draw(&self.entries(), &strip.margin(6, 6, self.labels(), 0))?;
        let plot = self.draw_axes(&body)?;
        for (group, top) in self.groups.iter().zip((0..).map(f64::from)) {
            group.draw(area, &plot, top)?;
        }
        Ok(())
    }
}

impl BarChart {
    /// The room for the longest label.
    fn labels(&self) -> u32 {
        let widths = self.groups.iter().map(|group| text_width(&group.label, LABEL_SIZE) + 2 * LABEL_MARGIN);
        widths.fold(LABELS, u32::max)
    }

    fn entries(&self) -> Vec<Entry<'_>> {
        self.series.iter().zip(COLOURS).map(|(name, colour)| Entry { name, colour, thickness: 18 }).collect()
    }

    fn draw_axes<'a>(&self, body: &Area<'a>) -> Result<Plot<'a>, AnyError> {
        // Downwards, so that the first group is on top.
        let groups = self.groups.len() as f64..0.0;
        let mut chart = ChartBuilder::on(body)
            .margin_right(NUMBERS)
            .margin_bottom(16)
            .x_label_area_size(FOOT - 16)
            .y_label_area_size(self.labels())
            .build_cartesian_2d(self.range.clone(), groups.clone())?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .x_labels(6)
            .label_style((FONT, 19))
            .axis_desc_style((FONT, 20))
            .x_desc(&self.measure)
            .draw()?;
        let zero = self.range.start;
        chart.draw_series([PathElement::new([(zero, groups.start), (zero, groups.end)], BLACK.mix(0.4))])?;
        Ok(chart.plotting_area().clone())
    }
}

impl BarGroup {
    /// Draws the group between `top` and `top + 1`, its label into the `area` beside the plot.
    fn draw(&self, area: &Area<'_>, plot: &Plot<'_>, top: f64) -> Result<(), AnyError> {
        let (start, end) = (plot.get_x_range().start, plot.get_x_range().end);
        let (x, y) = plot.map_coordinate(&(start, top + 0.5));
        let label = (FONT, LABEL_SIZE).into_text_style(area).pos(Pos::new(HPos::Right, VPos::Center));
        area.draw_text(&self.label, &label, (x - pixel(LABEL_MARGIN), y))?;

        let number = (FONT, 19).into_text_style(area).pos(Pos::new(HPos::Left, VPos::Center));
        let height = FILLED / self.bars.len() as f64;
        let mut y = top + (1.0 - FILLED) / 2.0;
        for (bar, colour) in self.bars.iter().zip(COLOURS) {
            let middle = y + height / 2.0;
            plot.draw(&Rectangle::new([(start, y), (bar.mean.max(start), y + height)], colour.filled()))?;
            if bar.spread.is_some() {
                let (low, high) = bar.band();
                plot.draw(&ErrorBar::new_horizontal(middle, low, bar.mean, high, BLACK.filled(), 9))?;
            }
            let (x, y_text) = plot.map_coordinate(&(end, middle));
            area.draw_text(&bar.to_string(), &number, (x + 14, y_text))?;
            y += height;
        }
        Ok(())
    }
}

//! Which colour means what, beside the plots and never over them.

use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{AnyError, Area, FONT, pixel, stacked, text_width};

const SIZE: u32 = 20;
const LINE: u32 = 28;
const SWATCH: u32 = 24;
/// Between a swatch and its name.
const SPACE: u32 = 8;
/// Between an entry and the next.
const GAP: u32 = 26;

/// A name and its colour.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    pub(super) colour: RGBColor,
    /// The height of the swatch: that of a line or that of a box.
    pub(super) thickness: u32,
}

impl Entry<'_> {
    pub(super) fn width(&self) -> u32 {
        SWATCH + SPACE + text_width(self.name, SIZE)
    }
}

/// The height of the entries in lines of `room` pixels.
pub(super) fn height(entries: &[Entry<'_>], room: u32) -> u32 {
    places(entries, room).last().map_or(0, |(line, _)| stacked(LINE, line + 1))
}

/// Draws the entries into a strip of that height.
pub(super) fn draw(entries: &[Entry<'_>], strip: &Area<'_>) -> Result<(), AnyError> {
    let (room, _) = strip.dim_in_pixel();
    let style = (FONT, SIZE).into_text_style(strip).pos(Pos::new(HPos::Left, VPos::Center));
    for (entry, (line, x)) in entries.iter().zip(places(entries, room)) {
        let (x, top) = (pixel(x), pixel(stacked(LINE, line) + (LINE - entry.thickness) / 2));
        let corners = [(x, top), (x + pixel(SWATCH), top + pixel(entry.thickness))];
        strip.draw(&Rectangle::new(corners, entry.colour.filled()))?;
        strip.draw_text(entry.name, &style, (x + pixel(SWATCH + SPACE), pixel(stacked(LINE, line) + LINE / 2)))?;
    }
    Ok(())
}

fn places(entries: &[Entry<'_>], room: u32) -> Vec<(usize, u32)> {
    flow(entries.iter().map(Entry::width), room)
}

/// The line, and the place in it, of each thing of these widths: one after the other as words of a text, in lines of `room`.
fn flow(widths: impl Iterator<Item = u32>, room: u32) -> Vec<(usize, u32)> {
    let (mut line, mut x) = (0, 0);
    widths
        .map(|width| {
            if x > 0 && x + width > room {
                (line, x) = (line + 1, 0);
            }
            let place = (line, x);
            x += width + GAP;
            place
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{GAP, flow};

    #[test]
    fn entries_flow_into_lines() {
        assert_eq!(flow([40, 50].into_iter(), 90 + GAP), [(0, 0), (0, 40 + GAP)]);
        assert_eq!(flow([40, 50].into_iter(), 89 + GAP), [(0, 0), (1, 0)]);
        assert_eq!(flow([200, 10, 200].into_iter(), 100), [(0, 0), (1, 0), (2, 0)]);
        assert_eq!(flow([].into_iter(), 100), []);
    }
}

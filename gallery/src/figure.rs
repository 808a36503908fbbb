//! Figures: each is drawn once, as SVG, and the PNG is made from that.

pub mod bars;
pub mod curves;
mod legend;

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use plotters::{
    coord::Shift,
    prelude::{DrawingArea, IntoDrawingArea, IntoTextStyle, SVGBackend, WHITE},
    style::text_anchor::{HPos, Pos, VPos},
};
use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{Options, Tree, fontdb::Database},
};

const FONT: &str = "sans-serif";

/// Pixels of the PNG per pixel of the SVG, for sharp text on every screen.
const PNG_SCALE: u16 = 2;

/// What goes wrong in drawing, whatever the library.
pub type AnyError = Box<dyn Error + Send + Sync>;

/// An area of an SVG in pixels.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Something that can be drawn.
pub trait Figure {
    /// Width and height in pixels.
    fn size(&self) -> (u32, u32);

    /// Draws onto a white area of that size.
    fn draw(&self, area: &Area<'_>) -> Result<(), AnyError>;
}

/// A figure that could not be drawn or written.
#[derive(Debug, thiserror::Error)]
#[error("{file}: cannot be written: {source}", file = file.display())]
pub struct FigureError {
    file: PathBuf,
    source: AnyError,
}

/// Writes `stem`.svg and `stem`.png.
pub fn save(figure: &impl Figure, stem: &Path) -> Result<(), FigureError> {
    let (svg, png) = (stem.with_extension("svg"), stem.with_extension("png"));
    let text = draw(figure).map_err(|source| FigureError { file: svg.clone(), source })?;
    fs::write(&svg, &text).map_err(|error| FigureError { file: svg, source: error.into() })?;
    let pixels = rasterize(&text).map_err(|source| FigureError { file: png.clone(), source })?;
    fs::write(&png, pixels).map_err(|error| FigureError { file: png, source: error.into() })
}

/// The figure as SVG.
pub fn draw(figure: &impl Figure) -> Result<String, AnyError> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, figure.size()).into_drawing_area();
        area.fill(&WHITE)?;
        figure.draw(&area)?;
        area.present()?;
    }
    Ok(text)
}

/// The SVG as a PNG. Text is set in Noto Sans (SIL Open Font License) from the crate `notosans`: a machine without any fonts, and
/// without font libraries, draws the same pixels.
fn rasterize(svg: &str) -> Result<Vec<u8>, AnyError> {
    let mut fonts = Database::new();
    fonts.load_font_data(notosans::REGULAR_TTF.to_vec());
    fonts.set_sans_serif_family("Noto Sans");
    let tree = Tree::from_str(svg, &Options { fontdb: Arc::new(fonts), ..Options::default() })?;

    let scale = f32::from(PNG_SCALE);
    let size = tree.size().to_int_size().scale_by(scale).ok_or("it is too large")?;
    let mut pixels = Pixmap::new(size.width(), size.height()).ok_or("it is too large")?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    Ok(pixels.encode_png()?)
}

/// Centres a title in its strip.
fn draw_title(strip: &Area<'_>, title: &str, size: u32) -> Result<(), AnyError> {
    let (width, height) = strip.dim_in_pixel();
    let style = (FONT, size).into_text_style(strip).pos(Pos::new(HPos::Center, VPos::Center));
    strip.draw_text(title, &style, (pixel(width) / 2, pixel(height) / 2))?;
    Ok(())
}

/// The width of a text, on the generous side: each viewer of an SVG has a font of its own.
fn text_width(text: &str, size: u32) -> u32 {
    stacked(size, text.chars().count()).div_ceil(2)
}

/// The length of `count` pieces of `size` pixels.
fn stacked(size: u32, count: usize) -> u32 {
    u32::try_from(count).map_or(u32::MAX, |count| size.saturating_mul(count))
}

/// A length as a coordinate.
fn pixel(length: u32) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

//! What is in a figure, and where: nothing is cut, nothing lies over anything else, nothing is left out.

use std::sync::Arc;

use resvg::usvg::{Group, Node, Options, Rect, Tree, fontdb::Database};
use wane_gallery::{
    Estimate,
    figure::{
        Figure,
        bars::{BarChart, BarGroup},
        curves::{Curve, CurveGrid, Panel, Row},
        draw,
    },
};

const SHORT: &str = "decoupled:1";
const LONG: &str = "decoupled:0.5@start*warmup-stable-decay:100,1000,500,0.01";

/// Two panels beside each other, each with a curve per name over these epochs, on an axis from 0.5 to 1.
fn curves(names: &[&str], means: &[f64]) -> CurveGrid {
    let estimates: Vec<_> = means.iter().map(|&mean| Estimate { mean, spread: None }).collect();
    let curve = |(pen, name): (usize, &&str)| Curve { name: (*name).to_owned(), pen, estimates: estimates.clone() };
    let panel = |title: &str| Panel { title: title.to_owned(), curves: names.iter().enumerate().map(curve).collect() };
    let panels = vec![panel("SGD"), panel("AdamW")];
    let rows = vec![Row { measure: "accuracy".to_owned(), range: 0.5..1.0, panels }];
    CurveGrid { title: "Curves".to_owned(), counted: "epoch".to_owned(), rows }
}

fn bars(labels: &[&str]) -> BarChart {
    let bars = vec![Estimate { mean: 0.9, spread: None }, Estimate { mean: 0.8, spread: Some(0.01) }];
    BarChart {
        title: "Bars".to_owned(),
        measure: "accuracy".to_owned(),
        range: 0.0..1.0,
        series: vec!["training images".to_owned(), "test images".to_owned()],
        groups: labels.iter().map(|label| BarGroup { label: (*label).to_owned(), bars: bars.clone() }).collect(),
    }
}

fn svg(figure: &impl Figure) -> String {
    draw(figure).expect("a figure that can be drawn")
}

/// Every text with its place, in the font of the PNG.
fn texts(svg: &str) -> Vec<(String, Rect)> {
    fn collect(group: &Group, texts: &mut Vec<(String, Rect)>) {
        for node in group.children() {
            match node {
                Node::Group(group) => collect(group, texts),
                Node::Text(text) => {
                    texts.push((text.chunks().iter().map(|chunk| chunk.text()).collect(), text.abs_bounding_box()));
                }
                _ => {}
            }
        }
    }
    let mut fonts = Database::new();
    fonts.load_font_data(notosans::REGULAR_TTF.to_vec());
    fonts.set_sans_serif_family("Noto Sans");
    let tree = Tree::from_str(svg, &Options { fontdb: Arc::new(fonts), ..Options::default() }).expect("a valid SVG");
    let mut texts = Vec::new();
    collect(tree.root(), &mut texts);
    texts
}

/// An attribute of each opaque element of that name; axes and grids are not opaque.
fn attributes<'a>(svg: &'a str, element: &str, attribute: &str) -> Vec<&'a str> {
    let value = |tag: &'a str| tag.split(&format!(" {attribute}=\"")).nth(1)?.split('"').next();
    let tags = svg.split('<').filter(|tag| tag.starts_with(&format!("{element} ")) && tag.contains("opacity=\"1\""));
    tags.map(|tag| value(tag).expect("the attribute is there")).collect()
}

#[track_caller]
fn assert_texts_are_apart_and_whole(figure: &impl Figure) {
    let (width, height) = figure.size();
    let texts = texts(&svg(figure));
    assert!(texts.len() > 10, "the texts are found");
    for (i, (text, place)) in texts.iter().enumerate() {
        let is_inside =
            place.left() >= 0.0 && place.top() >= 0.0 && place.right() <= width as f32 && place.bottom() <= height as f32;
        assert!(is_inside, "`{text}` is cut: {place:?} in {width} x {height}");
        for (other, there) in &texts[..i] {
            let is_apart = place.left() >= there.right()
                || place.right() <= there.left()
                || place.top() >= there.bottom()
                || place.bottom() <= there.top();
            assert!(is_apart, "`{text}` lies over `{other}`");
        }
    }
}

#[test]
fn texts_are_apart_and_whole_however_long_they_are() {
    for name in [SHORT, LONG] {
        assert_texts_are_apart_and_whole(&curves(&["none", name, name], &[0.6, 0.7]));
        assert_texts_are_apart_and_whole(&bars(&["SGD, none", &format!("AdamW, {name}, dropout 0.5")]));
    }
}

#[test]
fn a_legend_names_every_curve_beside_its_swatch_above_the_plot() {
    // Along the upper edge of the plot.
    let svg = svg(&curves(&["none", SHORT, LONG], &[1.0, 1.0]));
    let top = attributes(&svg, "polyline", "points")[0].split([',', ' ']).nth(1).expect("a point").parse().expect("a number");
    let swatches = attributes(&svg, "rect", "y");
    for name in ["none", SHORT, LONG] {
        let places: Vec<Rect> = texts(&svg).into_iter().filter(|(text, _)| text == name).map(|(_, place)| place).collect();
        assert_eq!(places.len(), 2, "`{name}` is in the legend of each panel");
        for place in places {
            assert!(place.bottom() < top, "`{name}` ends at {}, the plot starts at {top}", place.bottom());
            let is_beside = |y: &&str| (place.top()..place.bottom()).contains(&y.parse().expect("a number"));
            assert!(swatches.iter().any(is_beside), "`{name}` has a swatch");
        }
    }
    // The white background and a swatch for each of three curves in two panels.
    assert_eq!(swatches.len(), 1 + 3 * 2);
}

#[test]
fn a_curve_does_not_hide_the_one_below_it() {
    let svg = svg(&curves(&["none", "one", "two"], &[0.6, 0.7]));
    let widths = attributes(&svg, "polyline", "stroke-width");
    let widths: Vec<u32> = widths.into_iter().map(|width| width.parse().expect("a width")).collect();
    assert_eq!(widths.len(), 6);
    assert!(widths.chunks(3).all(|panel| panel.is_sorted_by(|below, above| below >= &(above + 2))), "{widths:?}");
}

#[test]
fn one_epoch_is_a_point_on_an_axis_of_whole_epochs() {
    let svg = svg(&curves(&["none", SHORT], &[0.6]));
    assert_eq!(attributes(&svg, "circle", "r").len(), 4, "a point per curve and panel");
    let texts = texts(&svg);
    let ticks = |epoch: &str| texts.iter().filter(|(text, _)| text == epoch).count();
    assert_eq!((ticks("0"), ticks("1")), (2, 2), "one tick per panel");
    let numbers = texts.iter().filter(|(text, _)| text.parse::<f64>().is_ok());
    // Two panels, each with the epochs 0 and 1 and the accuracies 0.5, 0.6 ... 1.0.
    assert_eq!(numbers.count(), 2 * (2 + 6));
}

/// The plot's coordinates of a curve are compared with those of a curve along the edge.
#[test]
fn what_lies_outside_the_axis_is_drawn_on_its_edge() {
    let line = |means: &[f64]| attributes(&svg(&curves(&["none"], means)), "polyline", "points")[0].to_owned();
    assert_eq!(line(&[0.1, 0.7, 1.5]), line(&[0.5, 0.7, 1.0]));
    assert_ne!(line(&[0.6, 0.7, 0.9]), line(&[0.5, 0.7, 1.0]));
}

#[test]
fn a_curve_pauses_where_it_is_not_a_number() {
    let svg = svg(&curves(&["none"], &[0.6, 0.7, f64::NAN, 0.8, f64::INFINITY, 0.7, 0.6]));
    assert_eq!(attributes(&svg, "circle", "r").len(), 2, "the lone epoch, per panel");
    let points: Vec<_> = attributes(&svg, "polyline", "points").iter().map(|points| points.split_whitespace().count()).collect();
    assert_eq!(points, [2, 2, 2, 2], "two pieces per panel");
}

#[test]
fn a_single_run_has_no_spread() {
    let texts = texts(&svg(&bars(&["SGD"])));
    let count = |number: &str| texts.iter().filter(|(text, _)| text == number).count();
    assert_eq!((count("0.900"), count("0.800 ± 0.010")), (1, 1));
}

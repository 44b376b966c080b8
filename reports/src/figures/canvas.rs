//! A sheet of SVG to draw on: the only file that knows plotters.
//!
//! Coordinates are whole pixels, so that no rounding differs between hosts. Text has no font of its own: the reader's
//! sans-serif is used, and nothing is placed by the width of a text. The colours are a closed list, because the page
//! gives each of them a twin for dark screens by its value.

use plotters::backend::{DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, RGBColor, ShapeStyle, TextStyle};

/// A colour of the figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    /// Words and frames.
    Text,
    /// Words that come second.
    Muted,
    /// Lines to read along.
    Grid,
    /// The ground.
    Paper,
    /// Limits, failures and faults.
    Alarm,
    /// The ground under a stretch that needs attention.
    Wash,
    /// Up to the erase.
    Prepare,
    /// Erase.
    Erase,
    /// Transfer.
    Transfer,
    /// Check and restart.
    Finish,
    /// Words on a bar.
    OnBar,
    /// The supply.
    Supply,
    /// The flow.
    Flow,
    /// The temperature.
    Temperature,
    /// The load of the bus.
    Load,
}

impl Ink {
    /// All colours: name, on white, on a dark ground.
    pub(crate) const ALL: [(Self, [u8; 3], [u8; 3]); 15] = [
        (Self::Text, [0x1B, 0x1F, 0x24], [0xE8, 0xEC, 0xF1]),
        (Self::Muted, [0x55, 0x5E, 0x68], [0xA9, 0xB4, 0xC0]),
        (Self::Grid, [0xDD, 0xE2, 0xE8], [0x33, 0x3B, 0x45]),
        (Self::Paper, [0xFF, 0xFF, 0xFF], [0x14, 0x18, 0x1D]),
        (Self::Alarm, [0xB4, 0x23, 0x18], [0xFF, 0x8A, 0x7A]),
        (Self::Wash, [0xFB, 0xE3, 0xE0], [0x4A, 0x25, 0x22]),
        (Self::Prepare, [0xC3, 0xCE, 0xDA], [0x8B, 0x99, 0xA8]),
        (Self::Erase, [0x17, 0x3F, 0x63], [0xBF, 0xDC, 0xF7]),
        (Self::Transfer, [0x5F, 0x9B, 0xD1], [0x3F, 0x7F, 0xBA]),
        (Self::Finish, [0x7B, 0x4F, 0xA0], [0xC6, 0xA2, 0xE6]),
        (Self::OnBar, [0x10, 0x14, 0x18], [0x0B, 0x0E, 0x12]),
        (Self::Supply, [0x2B, 0x33, 0x3C], [0xD3, 0xDA, 0xE2]),
        (Self::Flow, [0x1F, 0x7A, 0x4D], [0x5F, 0xCB, 0x97]),
        (Self::Temperature, [0xA8, 0x4B, 0x0C], [0xF0, 0xA2, 0x60]),
        (Self::Load, [0x52, 0x48, 0xA8], [0xA9, 0xA1, 0xF5]),
    ];

    fn color(self) -> RGBColor {
        let [red, green, blue] = Self::ALL.iter().find(|(ink, ..)| *ink == self).map_or([0; 3], |(_, light, _)| *light);
        RGBColor(red, green, blue)
    }
}

/// A corner or end of something, in pixels from the upper left.
pub(super) type Point = (i32, i32);

/// Where a text stands relative to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    /// It begins there.
    Start,
    /// Its middle is there.
    Middle,
    /// It ends there.
    End,
}

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lettering {
    pub(super) ink: Ink,
    pub(super) anchor: Anchor,
    pub(super) size: u8,
    pub(super) bold: bool,
}

impl Lettering {
    /// Plain text of 13 pixels.
    pub(super) const fn new(ink: Ink, anchor: Anchor) -> Self {
        Self { ink, anchor, size: 13, bold: false }
    }

    pub(super) const fn small(self) -> Self {
        Self { size: 12, ..self }
    }

    pub(super) const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }
}

/// A sheet of SVG.
pub(super) struct Canvas {
    width: i32,
    height: i32,
    steps: Vec<Stroke>,
}

/// What is drawn, in order. Kept until the end, because plotters writes into a borrowed text.
enum Stroke {
    Rectangle { from: Point, to: Point, style: ShapeStyle },
    Path { points: Vec<Point>, style: ShapeStyle },
    Polygon { points: Vec<Point>, style: ShapeStyle },
    Dot { center: Point, radius: u32, style: ShapeStyle },
    Text { at: Point, text: String, lettering: Lettering },
}

fn solid(ink: Ink, filled: bool, stroke_width: u32) -> ShapeStyle {
    ShapeStyle { color: ink.color().into(), filled, stroke_width }
}

impl Canvas {
    /// A white sheet.
    pub(super) fn new(width: i32, height: i32) -> Self {
        let mut canvas = Self { width, height, steps: Vec::new() };
        canvas.fill((0, 0), (width, height), Ink::Paper);
        canvas
    }

    pub(super) fn fill(&mut self, from: Point, to: Point, ink: Ink) {
        self.steps.push(Stroke::Rectangle { from, to, style: solid(ink, true, 0) });
    }

    pub(super) fn frame(&mut self, from: Point, to: Point, ink: Ink) {
        self.steps.push(Stroke::Rectangle { from, to, style: solid(ink, false, 1) });
    }

    pub(super) fn path(&mut self, points: Vec<Point>, ink: Ink, stroke_width: u32) {
        self.steps.push(Stroke::Path { points, style: solid(ink, false, stroke_width) });
    }

    pub(super) fn line(&mut self, from: Point, to: Point, ink: Ink, stroke_width: u32) {
        self.path(vec![from, to], ink, stroke_width);
    }

    /// A line of strokes, for thresholds.
    pub(super) fn dashes(&mut self, from: Point, to: Point, ink: Ink) {
        let (horizontal, length) = (from.1 == to.1, (to.0 - from.0) + (to.1 - from.1));
        for begin in (0..length).step_by(10) {
            let end = (begin + 6).min(length);
            let at = |along: i32| if horizontal { (from.0 + along, from.1) } else { (from.0, from.1 + along) };
            self.line(at(begin), at(end), ink, 1);
        }
    }

    pub(super) fn polygon(&mut self, points: Vec<Point>, ink: Ink) {
        self.steps.push(Stroke::Polygon { points, style: solid(ink, true, 0) });
    }

    pub(super) fn dot(&mut self, center: Point, radius: u32, ink: Ink) {
        self.steps.push(Stroke::Dot { center, radius, style: solid(ink, true, 0) });
    }

    pub(super) fn ring(&mut self, center: Point, radius: u32, ink: Ink) {
        self.steps.push(Stroke::Dot { center, radius, style: solid(ink, false, 2) });
    }

    /// A rectangle that tells itself apart without colour: an outline with slanting lines.
    pub(super) fn hatch(&mut self, from: Point, to: Point, ink: Ink) {
        let height = to.1 - from.1;
        for left in (from.0 - height..to.0).step_by(5) {
            let begin = (left.max(from.0), to.1 - (left.max(from.0) - left));
            let end_x = (left + height).min(to.0);
            let end = (end_x, to.1 - (end_x - left));
            if end.0 > begin.0 {
                self.line(begin, end, ink, 1);
            }
        }
        self.frame(from, to, ink);
    }

    /// Text at the middle of its height.
    pub(super) fn text(&mut self, at: Point, text: impl Into<String>, lettering: Lettering) {
        self.steps.push(Stroke::Text { at, text: text.into(), lettering });
    }

    /// The sheet as an SVG document.
    pub(super) fn finish(self) -> String {
        let mut svg = String::new();
        let size = (self.width.unsigned_abs(), self.height.unsigned_abs());
        let mut backend = SVGBackend::with_string(&mut svg, size);
        for step in &self.steps {
            draw(&mut backend, step);
        }
        backend.present().expect("plotters writes to memory");
        drop(backend);
        // Every stroke is opaque, which is what SVG takes for granted.
        svg.replace(" opacity=\"1\"", "").replace(" \"/>", "\"/>")
    }
}

fn draw(backend: &mut SVGBackend<'_>, step: &Stroke) {
    let drawn = match step {
        Stroke::Rectangle { from, to, style } => backend.draw_rect(*from, *to, style, style.filled),
        Stroke::Path { points, style } => backend.draw_path(points.iter().copied(), style),
        Stroke::Polygon { points, style } => backend.fill_polygon(points.iter().copied(), style),
        Stroke::Dot { center, radius, style } => backend.draw_circle(*center, *radius, style, style.filled),
        Stroke::Text { at, text, lettering } => backend.draw_text(text, &text_style(*lettering), *at),
    };
    drawn.expect("plotters writes to memory");
}

/// plotters divides the size of a text by 1.24; 13 pixels are wanted as 13 pixels.
fn text_style(lettering: Lettering) -> TextStyle<'static> {
    let horizontal = match lettering.anchor {
        Anchor::Start => HPos::Left,
        Anchor::Middle => HPos::Center,
        Anchor::End => HPos::Right,
    };
    let weight = if lettering.bold { FontStyle::Bold } else { FontStyle::Normal };
    let size = f64::from(lettering.size) * 1.24;
    let style = TextStyle::from(("sans-serif", size, weight).into_font());
    let color = lettering.ink.color().to_backend_color();
    TextStyle { color, ..style.pos(Pos::new(horizontal, VPos::Center)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of WCAG 2.2.
    fn luminance(color: [u8; 3]) -> f64 {
        let [red, green, blue] = color.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { libm::pow((part + 0.055) / 1.055, 2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    fn both(ink: Ink) -> [[u8; 3]; 2] {
        Ink::ALL.iter().find(|(known, ..)| *known == ink).map(|(_, light, dark)| [*light, *dark]).unwrap()
    }

    #[test]
    fn words_and_curves_stand_out_on_both_grounds() {
        for (text, ground, least) in [
            (Ink::Text, Ink::Paper, 4.5),
            (Ink::Muted, Ink::Paper, 4.5),
            (Ink::Alarm, Ink::Paper, 4.5),
            (Ink::Text, Ink::Wash, 4.5),
            (Ink::OnBar, Ink::Prepare, 4.5),
            (Ink::OnBar, Ink::Transfer, 4.5),
            (Ink::Supply, Ink::Paper, 3.0),
            (Ink::Supply, Ink::Wash, 3.0),
            (Ink::Flow, Ink::Paper, 3.0),
            (Ink::Temperature, Ink::Paper, 3.0),
            (Ink::Load, Ink::Paper, 3.0),
            (Ink::Erase, Ink::Transfer, 1.8),
            (Ink::Transfer, Ink::Finish, 1.3),
        ] {
            for (at, (text_color, ground_color)) in both(text).into_iter().zip(both(ground)).enumerate() {
                let found = contrast(text_color, ground_color);
                assert!(found >= least, "{text:?} on {ground:?}, {}: {found:.2}", ["light", "dark"][at]);
            }
        }
    }

    #[test]
    fn every_colour_is_told_apart_by_its_value() {
        let mut values: Vec<[u8; 3]> = Ink::ALL.iter().map(|(_, light, _)| *light).collect();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), Ink::ALL.len());
    }
}

//! The table as a picture: a bar for every figure that has a floor or a goal, and a line of text for rows without one.
//!
//! A bar says how much of its goal a figure reaches, or of its floor where there is no goal; for what must be small, how often
//! it fits into it. So all bars grow to the better side, and the line is where each is meant to be.

use anyhow::Result;
use plotters::prelude::*;

/// A figure.
pub(super) struct Bar {
    pub(super) name: String,
    /// Its value, as people read it.
    pub(super) value: String,
    /// How much of its goal it reaches; `None`: it has none.
    pub(super) of_goal: Option<f64>,
    /// How much of its floor.
    pub(super) of_floor: Option<f64>,
}

const NAMES_WIDTH: i32 = 560;
const BARS_WIDTH: i32 = 320;
const VALUES_WIDTH: i32 = 220;
const LINE_HEIGHT: i32 = 24;
const BAR_HEIGHT: i32 = 14;
const TOP: i32 = 40;
/// What the end of the bars' column stands for; longer bars end there.
const SHOWN_MAX: f64 = 2.0;

const REACHED: RGBColor = RGBColor(46, 125, 50);
const ABOVE_FLOOR: RGBColor = RGBColor(21, 101, 192);
const BELOW: RGBColor = RGBColor(198, 40, 40);

/// The picture, as SVG.
pub(super) fn picture(bars: &[Bar], title: &str) -> Result<String> {
    let lines = i32::try_from(bars.len())?;
    let size = (NAMES_WIDTH + BARS_WIDTH + VALUES_WIDTH, TOP + lines * LINE_HEIGHT + 12);
    let mut picture = String::new();
    {
        let size = (u32::try_from(size.0)?, u32::try_from(size.1)?);
        let area = SVGBackend::with_string(&mut picture, size).into_drawing_area();
        area.fill(&WHITE)?;
        let font = ("sans-serif", 13).into_font();
        area.draw(&Text::new(title.to_owned(), (12, 12), font.clone()))?;
        for (number, bar) in (0..).zip(bars) {
            let y = TOP + number * LINE_HEIGHT;
            let (length, colour) = judged(bar);
            let end = NAMES_WIDTH + pixels(length);
            area.draw(&Text::new(bar.name.clone(), (12, y + 2), font.clone()))?;
            if bar.of_goal.is_some() || bar.of_floor.is_some() {
                area.draw(&Rectangle::new([(NAMES_WIDTH, y), (end, y + BAR_HEIGHT)], colour.filled()))?;
            }
            if let (Some(goal), Some(floor)) = (bar.of_goal, bar.of_floor) {
                // Where the floor is, on the scale of the goal.
                let at = NAMES_WIDTH + pixels(goal / floor);
                area.draw(&PathElement::new([(at, y - 2), (at, y + BAR_HEIGHT + 2)], BELOW.stroke_width(2)))?;
            }
            let at = (NAMES_WIDTH + BARS_WIDTH + 12, y + 2);
            area.draw(&Text::new(bar.value.clone(), at, font.clone()))?;
        }
        let one = NAMES_WIDTH + pixels(1.0);
        area.draw(&PathElement::new(
            [(one, TOP - 8), (one, TOP + lines * LINE_HEIGHT)],
            BLACK.stroke_width(1),
        ))?;
        area.draw(&Text::new("goal, or floor".to_owned(), (one - 40, TOP - 24), font))?;
        area.present()?;
    }
    Ok(picture)
}

/// How long a bar is, and its colour: green has reached its goal, blue is between floor and goal (or has only a floor), red is
/// below its floor.
fn judged(bar: &Bar) -> (f64, RGBColor) {
    let length = bar.of_goal.or(bar.of_floor).unwrap_or(0.0);
    let colour = match (bar.of_goal, bar.of_floor) {
        // What is no number has reached nothing.
        (_, Some(floor)) if floor.is_nan() || floor < 1.0 => BELOW,
        (Some(goal), _) if goal >= 1.0 => REACHED,
        _ => ABOVE_FLOOR,
    };
    (length, colour)
}

fn pixels(reached: f64) -> i32 {
    let part = (reached / SHOWN_MAX).clamp(0.0, 1.0);
    #[expect(clippy::cast_possible_truncation, reason = "at most the column's width; NaN is 0")]
    let pixels = (part * f64::from(BARS_WIDTH)).round() as i32;
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(of_goal: Option<f64>, of_floor: Option<f64>) -> Bar {
        Bar { name: "1,000 members: frames".to_owned(), value: "×0.90".to_owned(), of_goal, of_floor }
    }

    #[test]
    fn a_bar_is_as_long_as_what_it_reaches_and_has_the_colour_of_its_place() {
        assert_eq!(judged(&bar(Some(1.1), Some(2.0))), (1.1, REACHED));
        assert_eq!(judged(&bar(Some(0.9), Some(1.5))), (0.9, ABOVE_FLOOR));
        assert_eq!(judged(&bar(Some(0.3), Some(0.9))), (0.3, BELOW));
        assert_eq!(judged(&bar(None, Some(1.2))), (1.2, ABOVE_FLOOR));
        assert_eq!(judged(&bar(None, Some(f64::NAN))).1, BELOW);
        assert_eq!((pixels(0.0), pixels(1.0), pixels(9.0)), (0, BARS_WIDTH / 2, BARS_WIDTH));
        assert_eq!(pixels(f64::NAN), 0);
    }

    #[test]
    fn the_picture_names_every_figure() {
        let picture = picture(&[bar(Some(0.9), Some(1.5)), bar(None, Some(1.2))], "abc, 2026-11-26").unwrap();
        assert!(picture.starts_with("<svg") && picture.contains("abc, 2026-11-26"));
        assert_eq!(picture.matches("1,000 members: frames").count(), 2);
    }
}

//! Pictures of a report, as SVG: latencies by percentile, and ratios round by round.

use std::path::Path;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use plotters::prelude::*;

use crate::report::{Report, rounded};

/// Width and height of a picture, pixels.
const SIZE: (u32, u32) = (960, 540);
const LATENCIES: &str = "latency.svg";
const ROUNDS: &str = "rounds.svg";

/// A line of a picture: its name, and its points.
type Line = (String, Vec<(f64, f64)>);

impl Report {
    /// Draws it into a folder, which is made if it is missing: `latency.svg`, and `rounds.svg` if there were several.
    ///
    /// # Errors
    /// When a picture cannot be written.
    pub fn plot(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let latencies: Vec<Line> = self
            .latencies
            .iter()
            .filter(|latency| !latency.micros.is_empty())
            .map(|latency| (latency.what.clone(), percentile_curve(&latency.micros)))
            .collect();
        if !latencies.is_empty() {
            write(folder, LATENCIES, &latency_picture(&latencies)?)?;
        }
        let rounds: Vec<Line> = self
            .figures
            .iter()
            .filter(|figure| figure.ratio.is_some() && figure.each.len() > 1)
            .map(|figure| (figure.figure.clone(), by_round(&figure.each)))
            .collect();
        if !rounds.is_empty() {
            write(folder, ROUNDS, &rounds_picture(&rounds)?)?;
        }
        Ok(())
    }
}

fn write(folder: &Path, name: &str, picture: &str) -> Result<()> {
    let path = folder.join(name);
    std::fs::write(&path, picture).with_context(|| path.display().to_string())
}

/// Milliseconds by "nines": 1 is the 90th percentile, 2 the 99th. As far as there are values to tell them apart.
fn percentile_curve(micros: &Histogram<u64>) -> Vec<(f64, f64)> {
    let most = rounded(micros.len()).log10().min(5.0);
    let steps = 100;
    (0..=steps)
        .map(|step| {
            let nines = most * f64::from(step) / f64::from(steps);
            (nines, rounded(micros.value_at_percentile(percentile(nines)).max(1)) / 1_000.0)
        })
        .collect()
}

fn percentile(nines: f64) -> f64 {
    100.0 * (1.0 - 10f64.powf(-nines))
}

fn by_round(values: &[f64]) -> Vec<(f64, f64)> {
    (1u32..).map(f64::from).zip(values.iter().copied()).collect()
}

/// The smallest and the largest of what the lines have on one axis.
fn range(lines: &[Line], axis: impl Fn(&(f64, f64)) -> f64) -> (f64, f64) {
    let all = lines.iter().flat_map(|(_, points)| points.iter().map(&axis));
    all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

fn latency_picture(lines: &[Line]) -> Result<String> {
    let (_, right) = range(lines, |point| point.0);
    let (low, high) = range(lines, |point| point.1);
    let mut picture = String::new();
    {
        let area = SVGBackend::with_string(&mut picture, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..right.max(1.0), (low * 0.8..high * 1.25).log_scale())?;
        chart
            .configure_mesh()
            .max_light_lines(0)
            .x_desc("percentile")
            .x_labels(6)
            .x_label_formatter(&|nines| shown(percentile(*nines)))
            .y_desc("milliseconds")
            .y_label_formatter(&|millis| shown(*millis))
            .draw()?;
        for (number, (name, points)) in lines.iter().enumerate() {
            let colour = Palette99::pick(number).to_rgba();
            chart
                .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.85))
            .draw()?;
        area.present()?;
    }
    Ok(picture)
}

fn rounds_picture(lines: &[Line]) -> Result<String> {
    let (_, right) = range(lines, |point| point.0);
    let (_, high) = range(lines, |point| point.1);
    // Two fifths of the width, where no line goes.
    let names = right * 0.67;
    let mut picture = String::new();
    {
        let area = SVGBackend::with_string(&mut picture, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(0.5..right + 0.5 + names, 0.0..high * 1.1)?;
        chart
            .configure_mesh()
            .max_light_lines(0)
            .x_desc("round")
            .x_label_formatter(&|round| {
                let is_round = round.fract() == 0.0 && *round <= right;
                if is_round { shown(*round) } else { String::new() }
            })
            .y_desc("ratio to the baseline of the same round")
            .y_label_formatter(&|ratio| shown(*ratio))
            .draw()?;
        for (number, (name, points)) in lines.iter().enumerate() {
            let colour = Palette99::pick(number).to_rgba();
            chart
                .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(4))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::MiddleRight)
            .background_style(WHITE.mix(0.85))
            .draw()?;
        area.present()?;
    }
    Ok(picture)
}

/// A number with as many digits as tell something.
fn shown(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Figure;

    fn latencies(micros: impl IntoIterator<Item = u64>) -> Histogram<u64> {
        let mut histogram = Histogram::new(3).unwrap();
        micros.into_iter().for_each(|micros| histogram.record(micros).unwrap());
        histogram
    }

    #[test]
    fn a_curve_rises_to_the_slowest_and_no_further_than_there_are_values() {
        let curve = percentile_curve(&latencies((1..=1_000).map(|value| value * 1_000)));
        assert!(curve.windows(2).all(|pair| pair[0].1 <= pair[1].1 && pair[0].0 < pair[1].0));
        let (nines, millis) = *curve.last().unwrap();
        assert_eq!(nines, 3.0, "one in a thousand");
        assert!((990.0..=1_001.0).contains(&millis), "{millis}");
        assert_eq!(shown(percentile(2.0)), "99");
        assert_eq!(shown(percentile(3.0)), "99.9");
    }

    #[test]
    fn a_report_with_rounds_has_two_pictures_that_name_what_they_show() {
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().join("plots");
        let mut report = Report::new(vec![
            Figure::of("fast", "1/s", &[1.0, 2.0], &[0.5, 0.6]),
            Figure::once("no ratio", "", 1.0),
        ]);
        report.latency("due → there", &latencies([900, 1_000, 30_000]));
        report.latency("nothing came", &latencies([]));
        report.plot(&into).unwrap();
        let text = |name: &str| std::fs::read_to_string(into.join(name)).unwrap();
        let (latency, rounds) = (text(LATENCIES), text(ROUNDS));
        assert!(latency.contains("due → there") && !latency.contains("nothing came"));
        assert!(rounds.contains("fast") && !rounds.contains("no ratio"));
        assert!(latency.starts_with("<svg") && latency.contains("<polyline"));
    }

    #[test]
    fn a_report_of_one_round_has_no_picture_of_rounds() {
        let folder = tempfile::tempdir().unwrap();
        Report::new(vec![Figure::of("fast", "1/s", &[1.0], &[0.5])]).plot(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

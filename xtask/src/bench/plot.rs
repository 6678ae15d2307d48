//! A line plot as SVG, both axes logarithmic, readable on light and dark pages.

use std::fmt::Write;

/// One line of the plot.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 380.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = 100.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 52.0;
/// Told apart also by those who see no red or green, and on white as on black.
const COLOURS: [&str; 3] = ["#0a84d6", "#d9730d", "#8a63d2"];

/// From a whole power of ten to a whole power of ten.
struct Axis {
    low: i32,
    high: i32,
    from: f64,
    to: f64,
}

impl Axis {
    fn around(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let least = values.clone().fold(f64::INFINITY, f64::min).log10().floor();
        let greatest = values.fold(f64::NEG_INFINITY, f64::max).log10().ceil();
        // Figures are measured times and counts: their powers of ten are small.
        let decade = |power: f64| (-9..=12).rev().find(|n| f64::from(*n) <= power).unwrap_or(-9);
        let (low, high) = (decade(least), decade(greatest));
        Self { low, high: high.max(low + 1), from, to }
    }

    fn place(&self, value: f64) -> f64 {
        let part = (value.log10() - f64::from(self.low)) / f64::from(self.high - self.low);
        self.from + part * (self.to - self.from)
    }

    fn decades(&self) -> impl Iterator<Item = f64> {
        (self.low..=self.high).map(|power| 10_f64.powi(power))
    }
}

/// Draws the series; each is labelled at its end, so that no legend is needed.
pub(super) fn log_log(x_label: &str, y_label: &str, series: &[Series]) -> String {
    let points = series.iter().flat_map(|series| series.points.iter());
    let x = Axis::around(points.clone().map(|point| point.0), LEFT, WIDTH - RIGHT);
    let y = Axis::around(points.map(|point| point.1), HEIGHT - BOTTOM, TOP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <style>text {{ fill: #333 }} .grid {{ stroke: #8884 }} .line {{ fill: none; stroke-width: 2 }}\n\
         @media (prefers-color-scheme: dark) {{ text {{ fill: #ddd }} }}</style>\n"
    );
    let mut add = |line: String| svg.extend([line.as_str(), "\n"]);
    for value in x.decades() {
        let at = x.place(value);
        add(format!("<path class=\"grid\" d=\"M{at:.1} {TOP}V{:.1}\"/>", HEIGHT - BOTTOM));
        add(format!(
            "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{value}</text>",
            HEIGHT - BOTTOM + 18.0
        ));
    }
    for value in y.decades() {
        let at = y.place(value);
        add(format!("<path class=\"grid\" d=\"M{LEFT} {at:.1}H{:.1}\"/>", WIDTH - RIGHT));
        add(format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
            LEFT - 8.0,
            at + 4.5
        ));
    }
    let (middle_x, middle_y) = ((LEFT + WIDTH - RIGHT) / 2.0, (TOP + HEIGHT - BOTTOM) / 2.0);
    add(format!(
        "<text x=\"{middle_x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{x_label}</text>",
        HEIGHT - 12.0
    ));
    add(format!(
        "<text transform=\"translate(18 {middle_y:.1}) rotate(-90)\" text-anchor=\"middle\">{y_label}</text>"
    ));
    let mut labels_at = Vec::new();
    for (series, colour) in series.iter().zip(COLOURS.iter().cycle()) {
        let mut path = String::new();
        for (n, point) in series.points.iter().enumerate() {
            let (px, py) = (x.place(point.0), y.place(point.1));
            // Writing to a String cannot fail.
            _ = write!(path, "{}{px:.1} {py:.1}", if n == 0 { 'M' } else { 'L' });
            add(format!("<circle cx=\"{px:.1}\" cy=\"{py:.1}\" r=\"3\" fill=\"{colour}\"/>"));
        }
        add(format!("<path class=\"line\" stroke=\"{colour}\" d=\"{path}\"/>"));
        if let Some(last) = series.points.last() {
            let at = free_place(y.place(last.1) + 4.5, &mut labels_at);
            let beside = x.place(last.0) + 8.0;
            add(format!(
                "<text x=\"{beside:.1}\" y=\"{at:.1}\" style=\"fill: {colour}\">{}</text>",
                series.name
            ));
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// The nearest height at or below the wanted one at which no other label stands.
fn free_place(mut wanted: f64, taken: &mut Vec<f64>) -> f64 {
    while taken.iter().any(|other| (other - wanted).abs() < 15.0) {
        wanted += 1.0;
    }
    taken.push(wanted);
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_reach_whole_powers_of_ten() {
        let axis = Axis::around([12.0, 950.0].into_iter(), 0.0, 100.0);
        assert_eq!((axis.low, axis.high), (1, 3));
        assert!((axis.place(100.0) - 50.0).abs() < 1e-9);
    }

    #[test]
    fn each_series_is_drawn_and_labelled_apart() {
        let line = |name: &str| Series { name: name.to_owned(), points: vec![(10.0, 1.5), (1000.0, 40.0)] };
        let svg = log_log("jails", "milliseconds", &[line("start"), line("stop")]);
        assert_eq!((svg.matches("<circle").count(), svg.matches("class=\"line\"").count()), (4, 2));
        let heights: Vec<&str> = svg.lines().filter(|line| line.contains("style=\"fill")).collect();
        assert_ne!(heights[0].split('"').nth(3), heights[1].split('"').nth(3));
    }
}

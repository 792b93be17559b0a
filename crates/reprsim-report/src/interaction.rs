//! The figure of a factorial design: similarity over the first axis, a line for each
//! level of the second. Parallel lines: no interaction.

use maud::{Markup, html};

use crate::figure::{BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, frame, spaced};
use crate::report::GridSection;
use crate::scale::{Scale, padded_range, tick_text};

/// Draws the design as SVG.
pub(crate) fn draw(section: &GridSection) -> Markup {
    let all = || section.lines.iter().flat_map(|line| &line.points);
    let levels: Vec<f64> = {
        let mut levels: Vec<f64> = all().map(|p| p.level).collect();
        levels.sort_by(f64::total_cmp);
        levels.dedup();
        levels
    };
    let (Some(&low), Some(&high)) = (levels.first(), levels.last()) else {
        return html! {};
    };
    let margin = 0.06 * (high - low).max(1e-9);
    let x = Scale::new((low - margin, high + margin), (LEFT, WIDTH - RIGHT));
    let heights = all()
        .flat_map(|p| {
            let sd = p.sd.unwrap_or(0.0);
            [p.mean - sd, p.mean + sd]
        })
        .chain(section.references.iter().map(|r| r.value));
    let range = padded_range(heights);
    let y = Scale::new(range, (HEIGHT - BOTTOM, TOP));
    let (left, right) = (x.at(low - margin), x.at(high + margin));
    // Labels of lines and references share the space at the right.
    let mut ends: Vec<(f64, String, bool)> = section
        .lines
        .iter()
        .filter_map(|line| Some((y.at(line.points.last()?.mean), line.label.clone(), true)))
        .collect();
    ends.extend(section.references.iter().map(|r| {
        let label = format!("{} {}", r.name, tick_text(r.value));
        (y.at(r.value), label, false)
    }));
    let places = spaced(ends.iter().map(|e| e.0).collect(), 15.0);
    // Later levels are drawn fuller.
    let count = section.lines.len().max(2) as f64;
    let opacity = |place: usize| 0.35 + 0.65 * place as f64 / (count - 1.0);
    html! {
        svg class="figure grid" viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img"
            aria-label={ (section.y_label) " over " (section.name) } {
            (frame(range, y, x, &levels, (left, right), [&section.x_label, &section.y_label]))
            @for reference in &section.references {
                line class="reference" x1=(left) x2=(right)
                    y1=(y.at(reference.value)) y2=(y.at(reference.value)) {}
            }
            @for ((_, label, of_line), place) in ends.iter().zip(places) {
                text class=(if *of_line { "line-label" } else { "reference-label" })
                    x=(right + 6.0) y=(place + 4.0) { (label) }
            }
            @for (place, line) in section.lines.iter().enumerate() {
                polyline class="fit" fill="none" opacity=(opacity(place)) points=(line.points.iter()
                    .map(|p| format!("{},{}", x.at(p.level), y.at(p.mean))).collect::<Vec<_>>().join(" ")) {}
                @for point in &line.points {
                    @if let Some(sd) = point.sd {
                        line class="spread" opacity=(opacity(place)) x1=(x.at(point.level)) x2=(x.at(point.level))
                            y1=(y.at(point.mean - sd)) y2=(y.at(point.mean + sd)) {}
                    }
                    circle class="point" opacity=(opacity(place)) cx=(x.at(point.level)) cy=(y.at(point.mean)) r="4.5" {
                        title { (line.label) ", " (section.x_label) " " (tick_text(point.level)) ": "
                            (format!("{:.4}", point.mean)) }
                    }
                }
            }
        }
    }
}

//! Shares of the variance that the terms of a grid account for: as bars and in words.

use maud::html;

use crate::drawing::{Drawing, WIDTH, fitted};
use crate::format::{capitalized, percent};
use crate::report::GridSection;
use crate::scale::{Scale, padded_range, tick_text, ticks};

const ROW: f64 = 42.0;
const BELOW: f64 = 44.0;
const RIGHT: f64 = 62.0;

/// Draws the shares, or nothing if there is none.
pub(crate) fn draw(grid: &GridSection) -> Option<Drawing> {
    let share = |v: Option<f64>| v.filter(|v| v.is_finite());
    let ends = |v: Option<(f64, f64)>| v.filter(|(a, b)| a.is_finite() && b.is_finite());
    let rows = &grid.attribution;
    if !rows.iter().any(|r| share(r.share).is_some()) {
        return None;
    }
    let values = rows.iter().flat_map(|r| {
        let (low, high) = ends(r.share_interval).unwrap_or((0.0, 0.0));
        [share(r.share).unwrap_or(0.0), low, high]
    });
    let (low, high) = padded_range(values.chain([0.0]));
    // Bars stand on zero, with nothing to its left but an interval that reaches there.
    let lowest = (rows.iter())
        .filter_map(|r| ends(r.share_interval))
        .map(|e| e.0);
    let lowest = lowest
        .chain(rows.iter().filter_map(|r| share(r.share)))
        .fold(0.0, f64::min);
    let range = (if lowest < 0.0 { low } else { 0.0 }, high);
    let x = Scale::new(range, (4.0, WIDTH - RIGHT));
    let floor = ROW * rows.len() as f64 + 4.0;
    let body = html! {
        @for tick in ticks(range, 5) {
            line class="gridline" x1=(x.at(tick)) x2=(x.at(tick)) y1="0" y2=(floor) {}
            text class="tick" x=(x.at(tick)) y=(floor + 16.0)
                text-anchor=(if tick == 0.0 && range.0 == 0.0 { "start" } else { "middle" }) {
                (tick_text(100.0 * tick)) " %"
            }
        }
        line class="zero" x1=(x.at(0.0)) x2=(x.at(0.0)) y1="0" y2=(floor) {}
        @for (i, row) in rows.iter().enumerate() {
            @let top = ROW * i as f64;
            text class="over" x="10" y=(top + 15.0) { (fitted(&row.term, 13.0, WIDTH - RIGHT)) }
            @if let Some(value) = share(row.share) {
                rect class="bar" x=(x.at(value.min(0.0))) y=(top + 21.0)
                    width=(one(x.at(value.max(0.0)) - x.at(value.min(0.0)))) height="15" {
                    title { (row.term) ": " (percent(Some(value))) }
                }
            }
            @if let Some((from, to)) = ends(row.share_interval) {
                @let (a, b, y) = (x.at(from), x.at(to), top + 28.5);
                path class="bar-whisker" d=(format!("M{a} {0}V{1}M{a} {y}H{b}M{b} {0}V{1}", y - 4.0, y + 4.0)) {}
            }
            text class="tick" x=(WIDTH - 2.0) y=(top + 33.0) text-anchor="end" { (percent(share(row.share))) }
        }
        text x=(WIDTH - 2.0) y=(floor + 35.0) text-anchor="end" { (label(grid)) }
    };
    Some(Drawing {
        name: String::new(),
        class: "design".into(),
        size: (WIDTH, floor + BELOW),
        label: format!("{} by term, with 95 % intervals", label(grid)),
        body,
    })
}

/// Share of variance that the terms explain beyond the covariates.
pub(crate) fn of_terms(grid: &GridSection) -> Option<f64> {
    let covariates = match grid.covariates.is_empty() {
        true => grid.covariate_share.unwrap_or(0.0),
        false => grid.covariate_share?,
    };
    let share = grid.total_r2? - covariates;
    // Terms cannot explain less than nothing; a difference may, by rounding.
    share.is_finite().then_some(share.max(0.0))
}

/// What is held fixed and what could not be, in a sentence.
pub(crate) fn held_fixed(grid: &GridSection) -> Option<String> {
    let names: Vec<&str> = grid.covariates.iter().map(|c| c.term.as_str()).collect();
    let share = grid.covariate_share.filter(|s| s.is_finite());
    let held = (!names.is_empty()).then(|| {
        let verb = match names.len() {
            1 => "accounts",
            _ => "account",
        };
        let share = share.map_or(String::new(), |share| {
            let share = percent(Some(share));
            format!(", which {verb} for {share} of the variance first")
        });
        format!("Held fixed: {}{share}", listed(&names))
    });
    let dropped = (!grid.dropped.is_empty()).then(|| {
        let reason = match grid.dropped.len() {
            1 => "it does not vary, says nothing new or is missing for some pair",
            _ => "they do not vary, say nothing new or are missing for some pair",
        };
        let names: Vec<&str> = grid.dropped.iter().map(String::as_str).collect();
        format!("left out because {reason}: {}", listed(&names))
    });
    let parts: Vec<String> = held.into_iter().chain(dropped).collect();
    (!parts.is_empty()).then(|| format!("{}.", capitalized(&parts.join("; "))))
}

/// Names as in a sentence: `a, b and c`.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).into(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// What a share is of.
pub(crate) fn label(grid: &GridSection) -> &str {
    match grid.share_label.is_empty() {
        true => "share of variance",
        false => &grid.share_label,
    }
}

fn one(v: f64) -> f64 {
    (10.0 * v).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::AttributionRow;

    fn grid(covariates: &[&str], share: Option<f64>, dropped: &[&str]) -> GridSection {
        GridSection {
            total_r2: Some(0.751),
            covariates: (covariates.iter())
                .map(|term| AttributionRow {
                    term: (*term).into(),
                    ..AttributionRow::default()
                })
                .collect(),
            covariate_share: share,
            dropped: dropped.iter().map(|d| (*d).into()).collect(),
            ..GridSection::default()
        }
    }

    #[test]
    fn what_is_held_fixed_is_said_in_a_sentence() {
        let said = |c: &[&str], s, d: &[&str]| held_fixed(&grid(c, s, d)).unwrap_or_default();
        assert_eq!(
            said(&["accuracy", "loss"], Some(0.049), &["size"]),
            "Held fixed: accuracy and loss, which account for 4.9 % of the variance first; left out \
             because it does not vary, says nothing new or is missing for some pair: size."
        );
        assert_eq!(
            said(&["loss"], Some(0.049), &[]),
            "Held fixed: loss, which accounts for 4.9 % of the variance first."
        );
        assert_eq!(
            said(&["a", "b", "c"], Some(f64::NAN), &[]),
            "Held fixed: a, b and c."
        );
        assert_eq!(
            said(&[], None, &["size", "depth"]),
            "Left out because they do not vary, say nothing new or are missing for some pair: size \
             and depth."
        );
        assert_eq!(said(&[], None, &[]), "");
    }

    #[test]
    fn the_share_of_the_terms_is_without_the_covariates() {
        assert_eq!(of_terms(&grid(&[], None, &[])), Some(0.751));
        let share = of_terms(&grid(&["loss"], Some(0.049), &[])).unwrap_or(f64::NAN);
        assert!((share - 0.702).abs() < 1e-12);
        assert_eq!(
            of_terms(&grid(&["loss"], Some(0.751 + 1e-16), &[])),
            Some(0.0)
        );
        assert_eq!(of_terms(&grid(&["loss"], None, &[])), None);
        assert_eq!(of_terms(&grid(&["loss"], Some(f64::NAN), &[])), None);
    }
}

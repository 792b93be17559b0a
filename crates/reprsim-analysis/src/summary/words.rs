//! What effects are called and how they are said.

use reprsim_config::{Subject, Term};
use reprsim_report::{Fit, ValueScale, Verdict};
use reprsim_stats::Errors;

use crate::analysis::{Analysis, Effect};

/// A space where no line breaks.
const SPACE: char = '\u{a0}';

/// What a term of a fit is called.
pub(super) fn term_title(term: &Term) -> String {
    match term.single() {
        Some(axis) => axis.title(),
        None => {
            let names: Vec<&str> = term.axes().iter().map(|axis| axis.name()).collect();
            format!("interaction of {}", names.join(" and "))
        }
    }
}

pub(super) fn verdict(slope: Option<f64>, p_value: Option<f64>) -> Verdict {
    match (slope, p_value) {
        (Some(slope), Some(p)) if p < 0.05 && slope > 0.0 => Verdict::Rises,
        (Some(_), Some(p)) if p < 0.05 => Verdict::Falls,
        _ => Verdict::Undecided,
    }
}

/// What came of a term, with the numbers.
pub(super) fn sentence(effect: &Effect, verdict: Verdict, scale: ValueScale) -> String {
    let fit = &effect.fit;
    let (Some(slope), Some(low), Some(high), Some(p)) =
        (fit.slope, fit.ci_low, fit.ci_high, fit.p_value)
    else {
        let reason = fit.undefined.as_deref().unwrap_or("no values");
        return format!("Nothing could be fitted: {reason}.");
    };
    let said = match effect.axis.single() {
        Some(axis) => {
            let words = match (scale.alike(verdict), axis.subject()) {
                (Some(alike), Subject { more, .. }) => format!("{more} the models {alike}"),
                (None, _) => format!("No effect of {} can be told from zero", axis.title()),
            };
            format!("{words}: {} {} changes by ", axis.step(), scale.noun())
        }
        None => {
            let words = match verdict {
                Verdict::Rises => "Each slope rises as the other level rises",
                Verdict::Falls => "Each slope falls as the other level rises",
                Verdict::Undecided => "No interaction can be told from zero",
            };
            format!("{words}: ")
        }
    };
    format!(
        "{said}{slope:+.3} (95 % interval {low:.3} to {high:.3}, {}, {} pairs).",
        p_text(p),
        fit.n
    )
    .replace('-', "−")
}

/// A p-value, never as zero, on one line.
pub(super) fn p_text(p: f64) -> String {
    match p {
        p if p < 0.0001 => format!("p{SPACE}<{SPACE}0.0001"),
        p if p < 0.01 => format!("p{SPACE}={SPACE}{p:.4}"),
        p => format!("p{SPACE}={SPACE}{p:.3}"),
    }
}

pub(super) fn fit_of(effect: &Effect) -> Option<Fit> {
    let fit = &effect.fit;
    Some(Fit {
        intercept: fit.intercept?,
        slope: fit.slope?,
        ci_low: fit.ci_low?,
        ci_high: fit.ci_high?,
        p_value: fit.p_value?,
    })
}

/// The p-value of the test that takes no normal distribution for granted.
pub(super) fn randomisation(effect: &Effect) -> Option<String> {
    let (p, least) = (
        effect.fit.randomisation_p?,
        effect.fit.randomisation_least_p?,
    );
    let how = match effect.fit.errors {
        Some(Errors::ClusterRobust { clusters }) => format!("signs of {clusters} seeds flipped"),
        _ => "residuals permuted".into(),
    };
    Some(match p <= least && least > 0.01 {
        true => format!("{} ({how}; the least there can be)", p_text(p)),
        false => format!("{} ({how})", p_text(p)),
    })
}

/// The answers, a sentence each: whether each overlap matters, and whether two together
/// do more than add up.
pub(super) fn summary(analysis: &Analysis, scale: ValueScale) -> Vec<String> {
    (analysis.effects.iter())
        .filter(|effect| effect.primary)
        .map(|effect| answer(analysis, effect, scale))
        .collect()
}

fn answer(analysis: &Analysis, effect: &Effect, scale: ValueScale) -> String {
    let fit = &effect.fit;
    let crossed = effect.axis.is_interaction();
    let verdict = verdict(fit.slope, fit.p_value);
    let claim = match crossed {
        true => together(analysis, effect, verdict, scale),
        false => alone(effect, verdict, scale),
    };
    let Some(slope) = fit.slope else {
        let reason = fit.undefined.as_deref().unwrap_or("no values");
        return format!("{claim}: {reason}.");
    };
    let mut text = format!(
        "{claim} ({slope:+.3}, {}",
        fit.p_value.map_or("p undefined".into(), p_text)
    );
    let in_grid = crossed || effect.sweep != effect.axis;
    let share = in_grid.then(|| share(analysis, effect)).flatten();
    if let Some(share) = share.filter(|_| verdict != Verdict::Undecided) {
        text += &match share < 0.01 {
            true => ", under 1 % of the variance".to_string(),
            false => format!(", {:.0} % of the variance", 100.0 * share),
        };
    }
    let way = effect
        .share_of_range
        .filter(|_| !crossed && verdict != Verdict::Undecided);
    if let Some(way) = way {
        text += &format!(
            ", {:.0} % of the way from untrained pairs to overlap 1",
            100.0 * way
        );
    }
    text += ")";
    // A test that assumes less is named where it would change the answer.
    if let (Some(p), Some(other)) = (fit.p_value, fit.randomisation_p)
        && (p < 0.05) != (other < 0.05)
    {
        text += &format!("; the test that assumes less says {}", p_text(other));
        let least = fit.randomisation_least_p;
        let bound = least.is_some_and(|least| least > 0.05 && other <= least);
        text += if bound {
            ", the least it can say of so few seeds"
        } else {
            ""
        };
    }
    (text + ".").replace('-', "−")
}

/// Whether an axis matters.
fn alone(effect: &Effect, verdict: Verdict, scale: ValueScale) -> String {
    let Some(axis) = effect.axis.single() else {
        return term_title(&effect.axis);
    };
    let Subject { matters, again, .. } = axis.subject();
    match scale.alike(verdict) {
        Some(alike) => format!("{}: {again} models {alike}", upper(&matters)),
        None => format!("Whether {matters} cannot be told"),
    }
}

/// Whether axes together do more than add up: words that fit only where each makes models
/// more alike.
fn together(analysis: &Analysis, effect: &Effect, verdict: Verdict, scale: ValueScale) -> String {
    let of = |axis: &Term| {
        (analysis.effects.iter()).find(|e| e.primary && e.sweep == effect.sweep && e.axis == *axis)
    };
    let axes: Vec<Term> = effect
        .axis
        .axes()
        .iter()
        .map(|axis| Term::from(*axis))
        .collect();
    let names: Vec<String> = axes.iter().map(term_title).collect();
    let names = names.join(" and ");
    let raise = axes.iter().filter_map(of).all(|e| {
        let more = if scale.higher_is_more_alike {
            1.0
        } else {
            -1.0
        };
        e.fit.slope.is_some_and(|slope| more * slope > 0.0)
    });
    match (raise, scale.alike(verdict), verdict) {
        (true, Some("more alike"), _) => format!("Together, {names} do more than add up"),
        (true, Some(_), _) => format!("Together, {names} do less than add up"),
        (true, None, _) => format!("Whether {names} together do more than add up cannot be told"),
        (false, _, Verdict::Rises) => format!("The slope of each of {names} rises with the other"),
        (false, _, Verdict::Falls) => format!("The slope of each of {names} falls with the other"),
        (false, _, Verdict::Undecided) => {
            format!("Whether the slope of each of {names} changes with the other cannot be told")
        }
    }
}

/// The share of the variance that a term of a grid accounts for.
fn share(analysis: &Analysis, effect: &Effect) -> Option<f64> {
    let of = (analysis.attributions.iter()).find(|a| a.sweep == effect.sweep && a.primary)?;
    let terms = &of.attribution.as_ref()?.terms;
    let name = effect.axis.to_string();
    Some(terms.iter().find(|t| t.name == name)?.share)
}

fn upper(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

//! What effects are called and how they are said.

use reprsim_report::{Fit, Verdict};
use reprsim_stats::Errors;

use crate::analysis::{Analysis, Effect};
use reprsim_config::{AxisKind, Experiment, Sweep};

/// Between the axes of a sweep or an interaction.
pub(super) const CROSS: &str = " x ";

/// A space where no line breaks.
const SPACE: char = '\u{a0}';

/// A name as it is shown.
pub(super) fn shown(name: &str) -> String {
    name.replace(CROSS, " × ")
}

/// What the level of an axis is called over a figure.
pub(super) fn title(kind: AxisKind) -> String {
    match kind {
        AxisKind::Partition => "shared factors".into(),
        AxisKind::Width | AxisKind::Depth => kind.name().into(),
        _ => format!("{} overlap", kind.name()),
    }
}

/// What a term of a grid is called.
pub(super) fn term_title(effect: &Effect) -> String {
    let kind = AxisKind::ALL.iter().find(|k| k.name() == effect.axis);
    match kind {
        Some(kind) => title(*kind),
        None => format!("interaction of {}", effect.axis.replace(CROSS, " and ")),
    }
}

pub(super) fn verdict(slope: Option<f64>, p_value: Option<f64>) -> Verdict {
    match (slope, p_value) {
        (Some(slope), Some(p)) if p < 0.05 && slope > 0.0 => Verdict::Rises,
        (Some(_), Some(p)) if p < 0.05 => Verdict::Falls,
        _ => Verdict::Undecided,
    }
}

/// How an axis is spoken of.
struct Subject {
    /// With more of it, such as `More data overlap makes`.
    more: String,
    /// Whether it is of importance, such as `data overlap matters`.
    matters: String,
    /// It, again.
    again: &'static str,
    /// What a slope is the change of similarity over.
    step: &'static str,
}

impl Subject {
    fn of(effect: &Effect) -> Self {
        let name = term_title(effect);
        match effect.axis.as_str() {
            "partition" => Self {
                more: "More shared factors make".into(),
                matters: "shared factors matter".into(),
                again: "more of them make",
                step: "with each shared factor",
            },
            "width" | "depth" => Self {
                more: format!("Greater {name} makes"),
                matters: format!("{name} matters"),
                again: "more of it makes",
                step: "with each doubling",
            },
            _ => Self {
                more: format!("More {name} makes"),
                matters: format!("{name} matters"),
                again: "more of it makes",
                step: "from overlap 0 to 1",
            },
        }
    }
}

/// What came of a term, with the numbers.
pub(super) fn sentence(effect: &Effect, verdict: Verdict) -> String {
    let (Some(slope), Some(low), Some(high), Some(p)) =
        (effect.slope, effect.ci_low, effect.ci_high, effect.p_value)
    else {
        let reason = effect.undefined.as_deref().unwrap_or("no values");
        return format!("Nothing could be fitted: {reason}.");
    };
    let subject = Subject::of(effect);
    let words = match (effect.axis.contains(CROSS), verdict) {
        (false, Verdict::Rises) => format!("{} the models more alike", subject.more),
        (false, Verdict::Falls) => format!("{} the models less alike", subject.more),
        (false, Verdict::Undecided) => {
            format!("No effect of {} can be told from zero", term_title(effect))
        }
        (true, Verdict::Rises) => "Each slope rises as the other level rises".into(),
        (true, Verdict::Falls) => "Each slope falls as the other level rises".into(),
        (true, Verdict::Undecided) => "No interaction can be told from zero".into(),
    };
    let change = match effect.axis.contains(CROSS) {
        true => String::new(),
        false => format!("{} similarity changes by ", subject.step),
    };
    format!(
        "{words}: {change}{slope:+.3} (95 % interval {low:.3} to {high:.3}, {}, {} pairs).",
        p_text(p),
        effect.n
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
    Some(Fit {
        intercept: effect.intercept?,
        slope: effect.slope?,
        ci_low: effect.ci_low?,
        ci_high: effect.ci_high?,
        p_value: effect.p_value?,
    })
}

/// What samples and classes are called.
pub(super) struct Words {
    pub samples: &'static str,
    pub class: &'static str,
    pub classes: &'static str,
}

impl Words {
    pub fn of(experiment: &Experiment) -> Self {
        match experiment.dataset.text {
            Some(_) => Self {
                samples: "chunks of text",
                class: "corpus",
                classes: "corpora (the classes of text)",
            },
            None => Self {
                samples: "samples",
                class: "class",
                classes: "classes",
            },
        }
    }
}

pub(super) fn explanation(words: &Words, sweep: &Sweep, kind: AxisKind) -> String {
    let Words {
        samples,
        class,
        classes,
    } = words;
    let factors = sweep.factors.join(", ");
    match kind {
        AxisKind::Data if sweep.has(AxisKind::Class) => {
            format!(
                "Of the {samples} of a common {class} the given share are the same for both models."
            )
        }
        AxisKind::Data if sweep.has(AxisKind::Task) => {
            format!(
                "The two models see training sets of equal size, of which the given share are the \
                 same {samples}."
            )
        }
        AxisKind::Data => format!(
            "The two models learn the same {classes} from training sets of equal size, of which the \
             given share are the same {samples}."
        ),
        AxisKind::Class if sweep.has(AxisKind::Data) => format!(
            "Each model learns half of the {classes}; the given share of them are common to both."
        ),
        AxisKind::Class => format!(
            "Each model learns half of the {classes}; the given share of them, with their {samples}, \
             are common to both. Task and data move together."
        ),
        AxisKind::Task => {
            let same = match sweep.has(AxisKind::Data) {
                true => "",
                false => "Both models see the same samples. ",
            };
            format!(
                "{same}Each learns a task of {} drawn from {factors}; the given share of its factors \
                 is common to both.",
                match sweep.factors_per_task {
                    1 => "one label factor".to_string(),
                    count => format!("{count} label factors"),
                }
            )
        }
        AxisKind::Partition => {
            let tasks: Vec<String> = sweep
                .pairs
                .iter()
                .map(|[a, b]| format!("{} / {}", a.join("+"), b.join("+")))
                .collect();
            format!(
                "Both models see the same samples and learn two listed tasks, which differ in size: \
                 {}. The level is the number of label factors that both tasks hold; the size of the \
                 tasks moves with it.",
                tasks.join("; ")
            )
        }
        AxisKind::Style => format!(
            "Both models see the same items, one drawing of each; of the given share of them the same \
             drawing, of the others drawings in two styles ({factors})."
        ),
        AxisKind::Width => "The width of both models varies.".into(),
        AxisKind::Depth => "The depth of both models varies.".into(),
    }
}

/// The p-value of the test that takes no normal distribution for granted.
pub(super) fn randomisation(effect: &Effect) -> Option<String> {
    let (p, least) = (effect.randomisation_p?, effect.randomisation_least_p?);
    let how = match effect.errors {
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
pub(super) fn summary(analysis: &Analysis) -> Vec<String> {
    (analysis.effects.iter())
        .filter(|effect| effect.primary)
        .map(|effect| answer(analysis, effect))
        .collect()
}

fn answer(analysis: &Analysis, effect: &Effect) -> String {
    let crossed = effect.axis.contains(CROSS);
    let verdict = verdict(effect.slope, effect.p_value);
    let claim = match crossed {
        true => together(analysis, effect, verdict),
        false => alone(effect, verdict),
    };
    let Some(slope) = effect.slope else {
        let reason = effect.undefined.as_deref().unwrap_or("no values");
        return format!("{claim}: {reason}.");
    };
    let mut text = format!(
        "{claim} ({slope:+.3}, {}",
        effect.p_value.map_or("p undefined".into(), p_text)
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
    if let (Some(p), Some(other)) = (effect.p_value, effect.randomisation_p)
        && (p < 0.05) != (other < 0.05)
    {
        text += &format!("; the test that assumes less says {}", p_text(other));
        let least = effect.randomisation_least_p;
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
fn alone(effect: &Effect, verdict: Verdict) -> String {
    let Subject { matters, again, .. } = Subject::of(effect);
    match verdict {
        Verdict::Rises => format!("{}: {again} models more alike", upper(&matters)),
        Verdict::Falls => format!("{}: {again} models less alike", upper(&matters)),
        Verdict::Undecided => format!("Whether {matters} cannot be told"),
    }
}

/// Whether two axes together do more than add up: words that fit only where both raise
/// similarity.
fn together(analysis: &Analysis, effect: &Effect, verdict: Verdict) -> String {
    let parts: Vec<&Effect> = (effect.axis.split(CROSS))
        .filter_map(|axis| {
            (analysis.effects.iter())
                .find(|e| e.primary && e.sweep == effect.sweep && e.axis == axis)
        })
        .collect();
    let names: Vec<String> = parts.iter().map(|e| term_title(e)).collect();
    let names = names.join(" and ");
    let raise = parts
        .iter()
        .all(|e| e.slope.is_some_and(|slope| slope > 0.0));
    match (raise, verdict) {
        (true, Verdict::Rises) => format!("Together, {names} do more than add up"),
        (true, Verdict::Falls) => format!("Together, {names} do less than add up"),
        (true, Verdict::Undecided) => {
            format!("Whether {names} together do more than add up cannot be told")
        }
        (false, Verdict::Rises) => format!("The slope of each of {names} rises with the other"),
        (false, Verdict::Falls) => format!("The slope of each of {names} falls with the other"),
        (false, Verdict::Undecided) => {
            format!("Whether the slope of each of {names} changes with the other cannot be told")
        }
    }
}

/// The share of the variance that a term of a grid accounts for.
fn share(analysis: &Analysis, effect: &Effect) -> Option<f64> {
    let of = (analysis.attributions.iter()).find(|a| a.sweep == effect.sweep && a.primary)?;
    let terms = &of.attribution.as_ref()?.terms;
    Some(terms.iter().find(|t| t.name == effect.axis)?.share)
}

fn upper(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

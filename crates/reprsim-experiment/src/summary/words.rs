//! What effects are called and how they are said.

use reprsim_report::{Fit, Verdict};
use reprsim_stats::Errors;

use crate::analysis::{Analysis, Effect};
use crate::experiment::{AxisKind, Experiment, Sweep};

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

pub(super) fn sentence(kind: AxisKind, effect: &Effect, verdict: Verdict) -> String {
    let Some(fit) = fit_of(effect) else {
        return effect
            .undefined
            .clone()
            .unwrap_or_else(|| "No line could be fitted.".into());
    };
    let what = match kind {
        AxisKind::Partition => "shared factors".into(),
        kind => title(kind),
    };
    let direction = match verdict {
        Verdict::Rises => format!("More {what} make the models more alike"),
        Verdict::Falls => format!("More {what} make the models less alike"),
        Verdict::Undecided => format!("No effect of {what} can be told from zero"),
    };
    let direction = match kind {
        AxisKind::Partition => direction,
        _ => direction.replacen(" make ", " makes ", 1),
    };
    let step = match kind {
        AxisKind::Partition => "with each shared factor",
        _ => "from overlap 0 to 1",
    };
    format!(
        "{direction}: {step} similarity changes by {:+.3} (95 % interval {:.3} to {:.3}, {}, {} \
         pairs).",
        fit.slope,
        fit.ci_low,
        fit.ci_high,
        p_text(fit.p_value),
        effect.n
    )
    .replace('-', "−")
}

pub(super) fn term_sentence(effect: &Effect, verdict: Verdict) -> String {
    let (Some(slope), Some(low), Some(high), Some(p)) =
        (effect.slope, effect.ci_low, effect.ci_high, effect.p_value)
    else {
        return effect.undefined.clone().unwrap_or_default();
    };
    let what = term_title(effect).to_lowercase();
    let words = match (effect.axis.contains(CROSS), verdict) {
        (false, Verdict::Rises) => format!("More {what} makes the models more alike"),
        (false, Verdict::Falls) => format!("More {what} makes the models less alike"),
        (false, Verdict::Undecided) => format!("No effect of {what} can be told from zero"),
        (true, Verdict::Rises) => "Each slope rises as the other level rises".into(),
        (true, Verdict::Falls) => "Each slope falls as the other level rises".into(),
        (true, Verdict::Undecided) => "No interaction can be told from zero".into(),
    };
    format!(
        "{words}: {slope:+.3} (95 % interval {low:.3} to {high:.3}, {}, {} pairs).",
        p_text(p),
        effect.n
    )
    .replace('-', "−")
}

pub(super) fn p_text(p: f64) -> String {
    if p < 0.0001 {
        format!("p{SPACE}<{SPACE}0.0001")
    } else {
        format!("p{SPACE}={SPACE}{p:.4}")
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
        .filter(|effect| effect.primary && effect.slope.is_some())
        .map(|effect| answer(analysis, effect))
        .collect()
}

fn answer(analysis: &Analysis, effect: &Effect) -> String {
    let crossed = effect.axis.contains(CROSS);
    let in_grid = effect.sweep != effect.axis || crossed;
    let verdict = verdict(effect.slope, effect.p_value);
    let what = match crossed {
        true => effect.axis.replace(CROSS, " and "),
        false => term_title(effect),
    };
    let claim = match (crossed, verdict) {
        (false, Verdict::Rises) => format!(
            "{} matters: more of it makes models more alike",
            upper(&what)
        ),
        (false, Verdict::Falls) => format!(
            "{} matters: more of it makes models less alike",
            upper(&what)
        ),
        (false, Verdict::Undecided) => format!("Whether {what} matters cannot be told"),
        (true, Verdict::Rises) => format!("Together, {what} do more than add up"),
        (true, Verdict::Falls) => format!("Together, {what} do less than add up"),
        (true, Verdict::Undecided) => {
            format!("Whether {what} together do more than add up cannot be told")
        }
    };
    let slope = effect
        .slope
        .map_or(String::new(), |slope| format!("{slope:+.3}, "));
    let mut text = format!("{claim} ({slope}{}", p_rounded(effect.p_value));
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
        text += &format!(
            "; the test that assumes less says {}",
            p_rounded(Some(other))
        );
        let least = effect.randomisation_least_p.filter(|least| *least > 0.05);
        text += least.map_or("", |_| ", and cannot say less with so few seeds");
    }
    (text + ".").replace('-', "−")
}

/// A p-value with two digits.
fn p_rounded(p: Option<f64>) -> String {
    match p {
        None => "p undefined".into(),
        Some(p) if p < 0.0001 => format!("p{SPACE}<{SPACE}0.0001"),
        Some(p) if p < 0.01 => format!("p{SPACE}={SPACE}{p:.4}"),
        Some(p) => format!("p{SPACE}={SPACE}{p:.3}"),
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

//! What was there before training, in words and rows.

use reprsim_report::{ChangeRow, StartRow, ValueScale};

use super::words::term_title;
use crate::analysis::{Analysis, Start};

/// The declared measure before and after training, sweep by sweep.
pub(super) fn starts(analysis: &Analysis, scale: ValueScale) -> Vec<StartRow> {
    let declared = analysis.starts.iter().filter(|start| start.primary);
    declared.map(|start| of_sweep(start, scale)).collect()
}

fn of_sweep(start: &Start, scale: ValueScale) -> StartRow {
    let title = start.sweep.shown();
    let then = match start.share {
        Some(share) => format!(
            "that is {:.0} % of the {:.3} after it",
            100.0 * share,
            start.after
        ),
        None => format!("training takes it to {:.3}", start.after),
    };
    StartRow {
        sentence: format!(
            "{title}: before training the mean {} of {} pairs is {:.3}; {then}.",
            scale.noun(),
            start.n,
            start.before,
        ),
        sweep: title,
        before: start.before,
        after: start.after,
        share: start.share,
        changes: (start.changes.iter())
            .map(|change| ChangeRow {
                term: term_title(&change.axis),
                slope: change.fit.slope,
                interval: change.fit.ci_low.zip(change.fit.ci_high),
                p_value: change.fit.p_value,
            })
            .collect(),
    }
}

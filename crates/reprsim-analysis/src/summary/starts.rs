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
    let share = start.share.map_or(String::new(), |share| {
        format!(", {:.0} % of what there is after it", 100.0 * share)
    });
    StartRow {
        sentence: format!(
            "{title}: before training the mean {} of {} pairs is {:.3}{share}; training brings it to \
             {:.3}.",
            scale.noun(),
            start.n,
            start.before,
            start.after
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

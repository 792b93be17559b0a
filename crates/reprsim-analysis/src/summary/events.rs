//! Training curves as TensorBoard's event files.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use reprsim_base::write_whole;
use reprsim_report::{Scalar, event_file};

use crate::error::AnalysisError;
use reprsim_config::Plan;
use reprsim_run::store::{directories, histories};

/// Writes the training history of every model of the run in `root` as an event file,
/// `tensorboard/CELL/MODEL/events.out.tfevents.*`, and returns that folder.
///
/// # Errors
/// [`AnalysisError::Write`] for file errors.
pub fn write_events(root: &Path, plan: &Plan) -> Result<PathBuf, AnalysisError> {
    let folder = root.join("tensorboard");
    let directories = directories(root, plan)?;
    for (index, models) in histories(root, plan)? {
        let Some(cell) = plan.cells.iter().find(|cell| cell.index == index) else {
            continue;
        };
        for (name, history) in ["a", "b"].into_iter().zip(models) {
            // Histories hold no time: that of the file is when training ended.
            let trained = directories
                .get(&cell.hash)
                .and_then(|d| fs::metadata(d.join(format!("{name}.train.jsonl"))).ok())
                .and_then(|m| m.modified().ok())
                .and_then(|t| t.duration_since(UNIX_EPOCH).ok())
                .map_or(0.0, |t| t.as_secs_f64());
            let scalars: Vec<Scalar> = history
                .iter()
                .flat_map(|epoch| {
                    let metrics = epoch.metrics.iter();
                    let metrics = metrics.map(|(name, v)| (format!("{name}/training"), *v));
                    let rate = epoch.tokens_per_s.map(|rate| ("speed/tokens_per_s", rate));
                    [
                        Some(("loss/training", epoch.loss)),
                        epoch.validation_loss.map(|v| ("loss/held_out", v)),
                        Some(("learning_rate", epoch.lr)),
                        rate.or(Some(("speed/samples_per_s", epoch.samples_per_s))),
                    ]
                    .into_iter()
                    .flatten()
                    .map(|(tag, value)| (tag.to_string(), value))
                    .chain(metrics)
                    .map(|(tag, value)| Scalar {
                        tag,
                        step: epoch.step as i64,
                        value,
                        wall_time: trained,
                    })
                    .collect::<Vec<_>>()
                })
                .collect();
            if scalars.is_empty() {
                continue;
            }
            let label = format!("{:04} {}", cell.index, cell.label());
            let directory = folder.join(label).join(name);
            let path = directory.join("events.out.tfevents.0.reprsim");
            fs::create_dir_all(&directory).map_err(|e| AnalysisError::store(&directory, e))?;
            write_whole(&path, &event_file(&scalars))
                .map_err(|e| AnalysisError::store(&path, e))?;
        }
    }
    Ok(folder)
}

//! Progress: nested bars on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use reprsim_config::Cell;
use reprsim_data::Skipped;
use reprsim_device::Chosen;
use reprsim_run::RunError;
use reprsim_run::run::{Observer, TrainingConfig};
use reprsim_run::store::SKIPPED;

use crate::messages;
use crate::output::note;

/// Shows how a run goes.
pub(crate) struct Progress {
    /// Epochs of a model, or evaluations of a language model.
    epochs: u64,
    /// What a model of text is trained for.
    steps: Option<usize>,
    terminal: bool,
    bars: MultiProgress,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    cells: Option<ProgressBar>,
    jobs: BTreeMap<usize, ProgressBar>,
    started: Option<Instant>,
    total: usize,
    done: usize,
    trained: usize,
}

impl Progress {
    /// `training` is what each model of a cell goes through.
    pub fn new(training: &TrainingConfig) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bars = MultiProgress::with_draw_target(if terminal {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        });
        messages::beside(&bars);
        Self {
            epochs: training.reports() as u64,
            steps: training.steps,
            terminal,
            bars,
            state: Mutex::default(),
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self
            .state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        act(&mut state)
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
}

fn spell(duration: Duration) -> String {
    let s = duration.as_secs();
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {:02} s", s / 60, s % 60),
        _ => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
    }
}

impl Observer for Progress {
    fn skipped(&self, files: &[Skipped]) {
        for line in Skipped::lines(files, Some(SKIPPED)) {
            note(&format!("data set: {line}"));
        }
    }

    fn device(&self, chosen: &Chosen, stack: usize, jobs: usize) {
        let stacked = match chosen.cpu {
            true => String::new(),
            false => format!(", up to {stack} models side by side"),
        };
        let line = format!("at once: {jobs} cells on {}{stacked}", chosen.name);
        match self.terminal {
            // Above the bars.
            true => drop(self.bars.println(line)),
            false => note(&line),
        }
    }

    fn begin(&self, total: usize, done: usize) {
        self.with(|state| {
            state.total = total;
            state.done = done;
            state.started = Some(Instant::now());
            let bar = self.bars.add(ProgressBar::new(total as u64));
            bar.set_style(style(
                "cells  {bar:32.green/dim} {pos}/{len}  {elapsed} gone, {msg}",
            ));
            bar.set_position(done as u64);
            bar.reset_eta();
            bar.set_message("preparing data");
            bar.enable_steady_tick(Duration::from_millis(500));
            state.cells = Some(bar);
        });
        if !self.terminal && done > 0 {
            note(&format!("{done} of {total} cells were done before"));
        }
    }

    fn cell_started(&self, job: usize, cell: &Cell) {
        self.with(|state| {
            let bar = state.jobs.entry(job).or_insert_with(|| {
                let bar = self.bars.add(ProgressBar::new(2 * self.epochs));
                bar.set_style(style("  {prefix:24} {bar:24.cyan/dim} {msg}"));
                bar
            });
            bar.reset();
            bar.set_length(2 * self.epochs);
            bar.set_prefix(cell.label());
            bar.set_message("splitting");
        });
    }

    fn epoch(&self, job: usize, model: &str, epoch: &reprsim_run::run::Epoch) {
        self.with(|state| {
            if let Some(bar) = state.jobs.get(&job) {
                // On a GPU both models of a cell are trained at once.
                bar.inc(1);
                let held_out = match (epoch.metrics.get("accuracy"), epoch.validation_loss) {
                    (Some(accuracy), _) => format!("acc {accuracy:.2}  "),
                    (None, Some(loss)) => format!("held out {loss:.3}  "),
                    (None, None) => String::new(),
                };
                let place = match self.steps {
                    Some(steps) => format!("step {}/{steps}", epoch.step),
                    None => format!("epoch {}/{}", epoch.epoch, self.epochs),
                };
                let speed = match epoch.tokens_per_s {
                    Some(tokens) => format!("{tokens:.0} tokens/s"),
                    None => format!("{:.0} images/s", epoch.samples_per_s),
                };
                bar.set_message(format!(
                    "model {model} {place}  loss {:.3}  {held_out}{speed}",
                    epoch.loss
                ));
            }
        });
    }

    fn cell_finished(&self, job: usize, cell: &Cell, error: Option<&RunError>) {
        let line = self.with(|state| {
            state.done += 1;
            let elapsed = state.started.map_or(Duration::ZERO, |s| s.elapsed());
            // Untrained pairs come first and take no time: they tell nothing.
            state.trained += usize::from(cell.point().is_some());
            let left = match state.trained {
                0 => "time left not known yet".to_string(),
                trained => {
                    let share = (state.total - state.done) as f64 / trained as f64;
                    format!("about {} left", spell(elapsed.mul_f64(share)))
                }
            };
            if let Some(bar) = &state.cells {
                bar.set_position(state.done as u64);
                bar.set_message(left.clone());
            }
            if let Some(bar) = state.jobs.get(&job) {
                bar.set_message("done");
                if state.done == state.total {
                    state.jobs.values().for_each(ProgressBar::finish_and_clear);
                    if let Some(cells) = &state.cells {
                        cells.finish_with_message("all done");
                    }
                }
            }
            format!(
                "[{}/{}] {}{}  ({} gone, {left})",
                state.done,
                state.total,
                cell.label(),
                error.map_or(String::new(), |e| format!(": FAILED: {}", e.in_full())),
                spell(elapsed)
            )
        });
        if self.terminal {
            if let Some(error) = error {
                let _ = self
                    .bars
                    .println(format!("{} failed: {}", cell.label(), error.in_full()));
            }
        } else {
            note(&line);
        }
    }
}

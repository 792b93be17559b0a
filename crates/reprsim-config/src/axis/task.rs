//! Task overlap: the same samples, tasks of equal size that share label factors.

use rand::Rng;
use reprsim_data::DataError;
use reprsim_data::split::{
    PairSplit, Reached, TaskSplit, is_reachable, levels_text, reachable_task_levels, split_tasks,
};

use super::{Asked, Cause, Design, Place, Refusal, SplitRequest, Words};

pub(crate) struct Task;

impl Cause for Task {
    fn name(&self) -> &'static str {
        "task"
    }

    fn crosses(&self) -> &'static [&'static str] {
        &["data"]
    }

    fn settings(&self) -> &'static [&'static str] {
        &["factors", "factors_per_task"]
    }

    fn draws_tasks(&self) -> bool {
        true
    }

    fn check(&self, asked: &Asked<'_>) -> Result<(), Refusal> {
        let (factors, per_task) = (&asked.design.factors, asked.design.factors_per_task);
        if factors.is_empty() {
            return Err(Refusal::of(
                "",
                "a task axis needs 'factors' (what tasks are made of) and 'factors_per_task'",
            ));
        }
        let sizes = factors.iter().filter_map(|name| {
            let known = asked.labels.factors.iter();
            known.into_iter().find(|(n, _)| n == name).map(|(_, n)| *n)
        });
        if let (Some(min), Some(max)) = (sizes.clone().min(), sizes.max())
            && min != max
        {
            return Err(Refusal::of(
                "factors",
                format!(
                    "tasks would differ in size: the factors have {min} to {max} classes\n  \
                     set factor_classes = {min} under [dataset]"
                ),
            ));
        }
        if per_task == 0 {
            return Err(Refusal::of(
                "factors_per_task",
                "a task axis needs 'factors_per_task', at least 1",
            ));
        }
        if per_task > factors.len() {
            return Err(Refusal::of(
                "factors_per_task",
                format!(
                    "a task of {per_task} factors cannot be drawn from {}",
                    factors.len()
                ),
            ));
        }
        let reachable = reachable_task_levels(factors.len(), per_task);
        for (entry, &level) in asked.levels.iter().enumerate() {
            if !is_reachable(level, &reachable) {
                let reachable = levels_text(&reachable);
                let reason =
                    format!("task overlap {level} cannot be reached; reachable: {reachable}");
                return Err(Refusal::of("levels", reason).entry(entry));
            }
        }
        Ok(())
    }

    fn split(
        &self,
        request: &SplitRequest<'_>,
        rng: &mut dyn Rng,
    ) -> Option<Result<PairSplit, DataError>> {
        let split = TaskSplit {
            dataset: request.dataset,
            factors: request.design.factors,
            factors_per_task: request.design.factors_per_task,
            per_model: request.per_model,
            overlap: request.place.level(self.name())?,
            samples_overlap: request.place.level("data").unwrap_or(1.0),
        };
        Some(split_tasks(&split, rng))
    }

    fn reached(&self, _: &Place, reached: Reached) -> Option<f64> {
        Some(reached.labels)
    }

    fn explanation(&self, _: Words, design: &Design<'_>) -> String {
        let same = match design.has("data") {
            true => "",
            false => "Both models see the same samples. ",
        };
        format!(
            "{same}Each learns a task of {} drawn from {}; the given share of its factors is common \
             to both.",
            match design.factors_per_task {
                1 => "one label factor".to_string(),
                count => format!("{count} label factors"),
            },
            design.factors.join(", ")
        )
    }
}

//! Partitions: the same samples, tasks that are listed pair by pair (the paper's
//! "partition"). The level is the number of label factors that both tasks hold.

use rand::Rng;
use reprsim_data::DataError;
use reprsim_data::split::{PairSplit, PartitionSplit, split_partition};

use super::{Asked, Cause, Design, Refusal, SplitRequest, Subject, Words};

pub(crate) struct Partition;

impl Cause for Partition {
    fn name(&self) -> &'static str {
        "partition"
    }

    fn is_overlap(&self) -> bool {
        false
    }

    fn lists_pairs(&self) -> bool {
        true
    }

    fn draws_tasks(&self) -> bool {
        true
    }

    fn check(&self, asked: &Asked<'_>) -> Result<(), Refusal> {
        if asked.levels.len() < 2 {
            return Err(Refusal::of(
                "pairs",
                "all pairs share equally many factors: there is nothing to compare",
            ));
        }
        Ok(())
    }

    fn split(
        &self,
        request: &SplitRequest<'_>,
        rng: &mut dyn Rng,
    ) -> Option<Result<PairSplit, DataError>> {
        let split = PartitionSplit {
            dataset: request.dataset,
            tasks: request.design.pairs.get(request.place.pair?)?,
            per_model: request.per_model,
        };
        Some(split_partition(&split, rng))
    }

    /// No level holds everything: the most that two tasks share depends on their sizes.
    fn is_ceiling(&self, _: f64) -> bool {
        false
    }

    fn title(&self) -> String {
        "shared factors".into()
    }

    fn step(&self) -> &'static str {
        "with each shared factor"
    }

    fn subject(&self) -> Subject {
        Subject {
            more: "More shared factors make".into(),
            matters: "shared factors matter".into(),
            again: "more of them make",
        }
    }

    fn explanation(&self, _: Words, design: &Design<'_>) -> String {
        let tasks: Vec<String> = design
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
}

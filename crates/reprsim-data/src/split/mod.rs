//! Splits: which samples each model of a pair sees, and with which labels, so
//! that the two overlap by a known amount.
//!
//! One file a kind of overlap. The rules are the paper's (arXiv 2505.13899,
//! its "constrained" mode): both models see equally many samples whatever the
//! overlap, and the overlap that was really reached is recorded.

mod class;
mod data;
mod pair;
mod round;
mod share;
mod style;
mod task;

pub use class::{ClassSplit, reachable_class_levels, split_classes};
pub use data::{DataSplit, split_data};
pub use pair::{Labelling, ModelSamples, PairSplit, Reached};
pub use round::{is_reachable, levels_text};
pub use style::{StyleSplit, split_styles};
pub use task::{PartitionSplit, TaskSplit, reachable_task_levels, split_partition, split_tasks};

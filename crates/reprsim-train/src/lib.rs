//! Training: what is learned (tasks, one file each), where batches come from, and the one
//! loop that joins them; checkpoints, snapshots, initial states.

mod augment;
mod batches;
mod checkpoint;
mod clip;
mod config;
mod error;
mod freezing;
mod history;
mod initial;
mod job;
mod learner;
mod optimizer;
mod packed;
mod preprocessing;
mod schedule;
mod snapshot;
mod stacks;
mod sums;
mod supply;
mod taped;
mod task;
mod tensor_names;
mod train;
mod validation;
mod weights_file;

pub use augment::{Augmentation, augment};
pub use checkpoint::{load_checkpoint, load_own_checkpoint, save_checkpoint};
pub use config::{Evaluate, OptimizerConfig, PartRate, Precision, ScheduleConfig, TrainingConfig};
pub use error::TrainError;
pub use freezing::check_parts;
pub use history::{Epoch, best, read_epochs, write_epochs};
pub use initial::{Entries, Foreign, Head, Initial, InitialStates, OfSize, RANDOM, Reference};
pub use job::{Job, Resume, TrainingSet, initial_network, teacher_network};
pub use learner::{Occupancy, RecordedStep, occupancy, profile_step, recorded_step, suits};
pub use preprocessing::Normalization;
pub use stacks::Stacks;
pub use supply::{Drawn, Supply};
pub use task::*;
pub use train::train;
pub use validation::{HeldOut, held_out_loss};
pub use weights_file::content_of_weights;

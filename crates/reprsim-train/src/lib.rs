//! The training loop: batches on the device, losses, schedules, checkpoints.

mod checkpoint;
mod config;
mod epoch;
mod error;
mod optimizer;
mod samples;
mod schedule;
mod train;

pub use checkpoint::{load_checkpoint, save_checkpoint};
pub use config::{OptimizerConfig, ScheduleConfig, TrainingConfig};
pub use epoch::{Epoch, read_epochs, write_epochs};
pub use error::TrainError;
pub use samples::{DeviceSamples, Normalization};
pub use train::{TrainingSet, train};

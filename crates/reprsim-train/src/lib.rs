//! The training loop: batches and augmentation on the device, losses,
//! schedules, checkpoints.

mod augment;
mod checkpoint;
mod config;
mod epoch;
mod error;
mod objective;
mod optimizer;
mod samples;
mod schedule;
mod train;

pub use augment::{Augmentation, augment};
pub use checkpoint::{load_checkpoint, save_checkpoint};
pub use config::{OptimizerConfig, ScheduleConfig, TrainingConfig};
pub use epoch::{Epoch, read_epochs, write_epochs};
pub use error::TrainError;
pub use objective::{cross_entropy, negative_elbo};
pub use samples::{DeviceSamples, Normalization};
pub use train::{TrainingSet, train};

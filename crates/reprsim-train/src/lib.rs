//! The training loop: batches and augmentation on the device, losses,
//! schedules, checkpoints.

mod augment;
mod checkpoint;
mod config;
mod epoch;
mod error;
mod language;
mod objective;
mod optimizer;
mod samples;
mod schedule;
mod snapshot;
mod train;

pub use augment::{Augmentation, augment};
pub use checkpoint::{load_checkpoint, save_checkpoint};
pub use config::{LanguageConfig, OptimizerConfig, ScheduleConfig, TrainingConfig};
pub use epoch::{Epoch, read_epochs, write_epochs};
pub use error::TrainError;
pub use language::{TextSet, train_language, validation_loss};
pub use objective::{cross_entropy, negative_elbo};
pub use samples::{DeviceImages, DeviceSamples, DeviceTokens, Normalization};
pub use snapshot::Resume;
pub use train::{TrainingSet, train};

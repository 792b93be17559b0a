//! Which device to compute on, why, and how much memory it has.

mod choose;
mod error;
mod list;
mod names;

pub use choose::{Chosen, check_names, choose, choose_all};
pub use error::DeviceError;
pub use list::{Listed, cores, list};
pub use names::NAMES;

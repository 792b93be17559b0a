//! Which device to compute on, and why.

mod choose;
mod error;
mod list;

pub use choose::{Chosen, NAMES, choose};
pub use error::DeviceError;
pub use list::{Listed, cores, list};

//! A device that is not to be had.

/// What was asked for, why it is not there, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DeviceError(pub(crate) String);

//! A device that is not to be had.

use crate::names::NAMES;

/// What was asked for, why it is not there, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// No device is called so.
    #[error("{}", reprsim_base::unknown("device", .0, &NAMES))]
    Unknown(String),
    /// The program was built without what drives it.
    #[error("this build has no {0} backend\n  build it with: cargo build --release --features {0}")]
    NotBuilt(String),
    /// Several are named where one is to be.
    #[error("one device computes this, and {0} are several\n  name one of them")]
    Several(String),
    /// Not all are GPUs.
    #[error("{0}: several devices must all be GPUs")]
    Mixed(String),
    /// The machine has others.
    #[error("there is no device {name}\n  this machine has {there}")]
    NoSuchGpu {
        /// What was asked for.
        name: String,
        /// What there is.
        there: String,
    },
    /// The machine has none.
    #[error(
        "no wgpu device was found\n  install a Vulkan driver (on Debian: mesa-vulkan-drivers is \
         a software one) or use --device cpu"
    )]
    NoGpu,
}

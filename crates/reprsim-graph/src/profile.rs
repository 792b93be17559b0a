//! Where a program's time goes, and how near it comes to what the device can do.

use crate::program::Dispatch;

/// One launch, timed.
#[derive(Clone, Debug)]
pub struct Timed {
    /// What was launched.
    pub dispatch: Dispatch,
    /// Seconds on the device.
    pub seconds: f64,
}

/// A program's step, timed.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its launches.
    pub dispatches: Vec<Timed>,
    /// Seconds that the host needs to record and hand over one launch.
    pub host_seconds: f64,
    /// Seconds of compiling the program's pipelines.
    pub compile_seconds: f64,
    /// What the device can do.
    pub ceilings: Ceilings,
}

/// What a device can do, measured by two small kernels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ceilings {
    /// Bytes that it reads and writes a second.
    pub bytes: f64,
    /// Floating-point operations (f32, multiplied and added) a second.
    pub work: f64,
}

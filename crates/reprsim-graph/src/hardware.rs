//! What programs have to know of the device that they are for.

/// A device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hardware {
    /// Workgroups that keep it busy.
    pub busy: usize,
    /// Its matrix units, if it has some.
    pub units: Option<Units>,
    /// Values of the largest array that it binds.
    pub bank: usize,
}

/// Units that multiply square matrices of 16-bit floats and add up in 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Units {
    /// Rows and columns of a matrix.
    pub side: usize,
    /// Threads that hold one together.
    pub subgroup: usize,
}

/// What factors of products are rounded to before they are multiplied. Products are always added
/// up in f32, and everything else is computed in f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Not at all.
    #[default]
    F32,
    /// 16-bit floats (11 bits of mantissa, up to 65 504): for matrix units where a device has
    /// them, rounded in the same way where it has none.
    F16,
    /// The upper half of an f32 (8 bits of mantissa, f32's range), to the nearest; multiplied in
    /// f32, since matrix units of that kind are not to be had through wgpu.
    Bf16,
}

/// What wgpu allows at most, in values, but for what the optimiser adds at the end.
const TWO_GIB: usize = (1 << 29) - 1024;

impl Hardware {
    /// A large graphics card: about as many workgroups as it has processors.
    pub const CARD: Self = Self {
        busy: 128,
        units: None,
        bank: TWO_GIB,
    };
    /// A processor that plays a GPU: larger tiles take long to compile.
    pub const SOFTWARE: Self = Self {
        busy: 64,
        units: None,
        bank: TWO_GIB,
    };
}

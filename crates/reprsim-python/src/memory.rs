//! Memory that Python's objects lend: read where it lies, never copied as a whole.
//!
//! The one unsafe place of the package. A lender (numpy's array interface, or a DLPack capsule) says
//! where its values begin and how far they lie apart, and promises that this stays so while it
//! lives; [`Lent`] keeps it alive, and reads nothing outside the shape that it named. That nobody
//! writes there meanwhile is the caller's part, as with every function of numpy that works without
//! Python's lock: what is then read is some number, never memory that is not the lender's.
#![expect(
    unsafe_code,
    reason = "values are where another program says that they are"
)]

use std::borrow::Cow;
use std::ffi::c_void;
use std::ops::Range;
use std::slice;

use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use reprsim_activations::{Element, Elsewhere};

use crate::errors::Failed;

/// An array of another program, alive as long as this is.
#[derive(Debug)]
pub(crate) struct Lent {
    start: *const u8,
    shape: Vec<usize>,
    /// From one element to the next along each axis, in bytes.
    strides: Vec<isize>,
    element: usize,
    /// Whether elements lie in C order without a gap.
    contiguous: bool,
    /// What keeps the memory.
    _owner: Py<PyAny>,
}

// SAFETY: the pointer is only read through, from memory that the owner keeps in its place and that is
// bound to no thread; the owner itself is only dropped, which Python's lock orders.
unsafe impl Send for Lent {}
// SAFETY: as above; reading needs no order.
unsafe impl Sync for Lent {}

/// Axes, as all libraries allow them at most.
const MOST_AXES: usize = 64;

impl Lent {
    /// An array that `owner` lends; strides in bytes, absent where elements lie in C order.
    ///
    /// # Errors
    /// A shape of more bytes than any memory has.
    fn new(
        owner: Py<PyAny>,
        start: *const u8,
        shape: Vec<usize>,
        strides: Option<Vec<isize>>,
        element: usize,
    ) -> Result<Self, Failed> {
        let unsound = || Failed::input(format!("an array of shape {shape:?} cannot be"));
        let mut dense = vec![0isize; shape.len()];
        let mut size = isize::try_from(element).map_err(|_| unsound())?;
        for (stride, length) in dense.iter_mut().zip(&shape).rev() {
            *stride = size;
            let length = isize::try_from(*length).map_err(|_| unsound())?;
            size = size.checked_mul(length.max(1)).ok_or_else(unsound)?;
        }
        let strides = strides.unwrap_or_else(|| dense.clone());
        if strides.len() != shape.len() || start.is_null() && !shape.contains(&0) {
            return Err(unsound());
        }
        // An axis of one element may say anything of its stride.
        let mut axes = strides.iter().zip(&dense).zip(&shape);
        let contiguous = axes.all(|((stride, dense), length)| stride == dense || *length <= 1);
        Ok(Self {
            start,
            shape,
            strides,
            element,
            contiguous,
            _owner: owner,
        })
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// What an object said by numpy's array interface. Both are kept: it may be what it said, not the
    /// object, that keeps the memory.
    ///
    /// # Errors
    /// If its shape is none, or it does not say where its values are.
    pub fn of_interface(
        object: &Bound<'_, PyAny>,
        interface: &Bound<'_, PyAny>,
        element: usize,
    ) -> PyResult<Self> {
        let (address, _): (usize, bool) = interface.get_item("data")?.extract()?;
        let shape: Vec<usize> = interface.get_item("shape")?.extract()?;
        let strides: Option<Vec<isize>> = match interface.call_method1("get", ("strides",))? {
            strides if strides.is_none() => None,
            strides => Some(strides.extract()?),
        };
        let owner = (object, interface).into_pyobject(object.py())?;
        Ok(Self::new(
            owner.into_any().unbind(),
            address as *const u8,
            shape,
            strides,
            element,
        )?)
    }

    /// Bytes of Python in C order.
    ///
    /// # Errors
    /// If there are not as many as the shape says.
    pub fn of_bytes(
        bytes: &Bound<'_, pyo3::types::PyBytes>,
        shape: Vec<usize>,
        element: usize,
    ) -> PyResult<Self> {
        let values = bytes.as_bytes();
        let size = shape
            .iter()
            .try_fold(element, |size, d| size.checked_mul(*d));
        if size != Some(values.len()) {
            let message = format!("{} bytes are not an array of shape {shape:?}", values.len());
            return Err(Failed::input(message).into());
        }
        let owner = bytes.clone().into_any().unbind();
        Ok(Self::new(owner, values.as_ptr(), shape, None, element)?)
    }

    /// What a DLPack capsule lends, and the type of its elements; the capsule is kept, not consumed, so
    /// that its own destructor gives the memory back.
    ///
    /// # Errors
    /// If it is none, of a device that is not the processor, or of a type that activations do not have.
    pub fn of_dlpack(capsule: &Bound<'_, PyCapsule>) -> PyResult<(Self, Element)> {
        let name = capsule.name()?;
        // SAFETY: the name lives as long as the capsule.
        let name = name.map(|name| unsafe { name.as_cstr() }.to_bytes());
        let tensor: &Tensor = match name {
            Some(b"dltensor") => {
                let managed = capsule
                    .pointer_checked(Some(c"dltensor"))?
                    .cast::<Managed>();
                // SAFETY: what a capsule of this name points to, by DLPack's contract.
                &unsafe { managed.as_ref() }.tensor
            }
            Some(b"dltensor_versioned") => {
                let managed = (capsule.pointer_checked(Some(c"dltensor_versioned"))?)
                    .cast::<ManagedVersioned>();
                // SAFETY: as above; the version comes first whatever it is.
                let managed = unsafe { managed.as_ref() };
                if managed.major != 1 {
                    let message = format!("DLPack {} is not understood", managed.major);
                    return Err(Failed::input(message).into());
                }
                &managed.tensor
            }
            _ => return Err(Failed::input("not a DLPack capsule, or one that was used").into()),
        };
        /// The processor's memory, and such that a GPU reads, too.
        const HOST: [i32; 3] = [1, 3, 11];
        if !HOST.contains(&tensor.device) {
            return Err(Failed::input("the array is not in the processor's memory").into());
        }
        let element = match (tensor.code, tensor.bits, tensor.lanes) {
            (0, 8, 1) => Element::I8,
            (0, 16, 1) => Element::I16,
            (0, 32, 1) => Element::I32,
            (0, 64, 1) => Element::I64,
            // Truth values are 6.
            (1 | 6, 8, 1) => Element::U8,
            (1, 16, 1) => Element::U16,
            (1, 32, 1) => Element::U32,
            (1, 64, 1) => Element::U64,
            (2, 16, 1) => Element::F16,
            (2, 32, 1) => Element::F32,
            (2, 64, 1) => Element::F64,
            (4, 16, 1) => Element::Bf16,
            _ => {
                let message = "activations are floating-point or whole numbers of 8 to 64 bits: \
                               convert them first";
                return Err(Failed::input(message).into());
            }
        };
        let axes = usize::try_from(tensor.axes).unwrap_or(usize::MAX);
        if axes > MOST_AXES || axes > 0 && tensor.shape.is_null() {
            return Err(Failed::input(format!("an array of {} axes", tensor.axes)).into());
        }
        let numbers = |from: *const i64| match axes {
            0 => vec![],
            // SAFETY: not null, and as many as there are axes, by the contract.
            _ => unsafe { slice::from_raw_parts(from, axes) }.to_vec(),
        };
        let shape = (numbers(tensor.shape).into_iter())
            .map(usize::try_from)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| Failed::input("an array whose shape has a negative number"))?;
        let size = element.bytes() as i64;
        let strides = match tensor.strides.is_null() {
            true => None,
            false => Some(
                (numbers(tensor.strides).into_iter())
                    .map(|stride| isize::try_from(stride.saturating_mul(size)))
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|_| Failed::input("an array whose strides are beyond any memory"))?,
            ),
        };
        let offset = usize::try_from(tensor.byte_offset).unwrap_or_default();
        let start = tensor.data.cast::<u8>().wrapping_add(offset).cast_const();
        let owner = capsule.clone().into_any().unbind();
        Ok((
            Self::new(owner, start, shape, strides, element.bytes())?,
            element,
        ))
    }

    /// The address of element `at`, counted in C order.
    fn address(&self, mut at: usize) -> *const u8 {
        let mut offset = 0isize;
        for (stride, length) in self.strides.iter().zip(&self.shape).rev() {
            let length = (*length).max(1);
            offset = offset.wrapping_add((at % length) as isize * stride);
            at /= length;
        }
        self.start.wrapping_offset(offset)
    }
}

impl Elsewhere for Lent {
    fn bytes(&self, range: Range<usize>) -> Option<Cow<'_, [u8]>> {
        let size = self.element * self.shape.iter().product::<usize>();
        let whole =
            range.start.is_multiple_of(self.element) && range.end.is_multiple_of(self.element);
        if range.start > range.end || range.end > size || !whole {
            return None;
        }
        if range.is_empty() {
            return Some(Cow::Borrowed(&[]));
        }
        if self.contiguous {
            // SAFETY: inside the array, which lies without a gap from `start` on while its owner lives.
            let bytes =
                unsafe { slice::from_raw_parts(self.start.wrapping_add(range.start), range.len()) };
            return Some(Cow::Borrowed(bytes));
        }
        let mut bytes = vec![0u8; range.len()];
        let (mut at, last) = (range.start / self.element, self.shape.len() - 1);
        let (length, stride) = (self.shape[last], self.strides[last]);
        let mut out = bytes.chunks_exact_mut(self.element);
        while out.len() > 0 {
            // Along the last axis, to its end or that of the range.
            let run = (length - at % length).min(out.len());
            let mut from = self.address(at);
            for out in out.by_ref().take(run) {
                // SAFETY: element `at` and those behind it on the axis are inside the array, by its shape
                // and strides; what is read is as long as an element.
                out.copy_from_slice(unsafe { slice::from_raw_parts(from, self.element) });
                from = from.wrapping_offset(stride);
            }
            at += run;
        }
        Some(Cow::Owned(bytes))
    }
}

/// `DLTensor` of DLPack's header, device and type written out.
#[repr(C)]
struct Tensor {
    data: *mut c_void,
    device: i32,
    _device_id: i32,
    axes: i32,
    code: u8,
    bits: u8,
    lanes: u16,
    shape: *const i64,
    strides: *const i64,
    byte_offset: u64,
}

/// `DLManagedTensor`.
#[repr(C)]
struct Managed {
    tensor: Tensor,
    _context: *mut c_void,
    _deleter: *mut c_void,
}

/// `DLManagedTensorVersioned`.
#[repr(C)]
struct ManagedVersioned {
    major: u32,
    _minor: u32,
    _context: *mut c_void,
    _deleter: *mut c_void,
    _flags: u64,
    tensor: Tensor,
}

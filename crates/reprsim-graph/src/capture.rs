//! Operations of burn recorded as a graph.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Mutex;

use burn::tensor::{DType, Device, Int, Shape, Tensor};
use burn_capture::{CaptureBackend, TensorId};
use burn_ir::{CustomOpIr, OperationIr, ScalarIr, TensorIr};
use burn_router::{RouterClient, RouterTensor};

use crate::error::GraphError;
use crate::graph::{Graph, Id, Leaf};
use crate::import::Importer;

thread_local! {
    /// Whether what is being recorded is a model in training.
    static TRAINING: Cell<bool> = const { Cell::new(false) };
}

/// Devices that record nothing now. A process can make 65 536 of them and no more, one of
/// which records one computation at a time.
static IDLE: Mutex<Vec<Device>> = Mutex::new(vec![]);

fn idle_device() -> Device {
    let idle = IDLE.lock().ok().and_then(|mut idle| idle.pop());
    idle.unwrap_or_else(Device::capture)
}

/// Whether tensors of `device` belong to a model in training: one that keeps track of
/// derivatives, or whose training step is being recorded.
pub fn is_training(device: &Device) -> bool {
    device.is_autodiff() || TRAINING.with(Cell::get)
}

/// What is being recorded.
#[derive(Debug)]
pub struct Tape {
    device: Device,
    leaves: RefCell<Vec<(TensorId, Leaf)>>,
}

/// The identity of a tensor that is being recorded.
fn id<const D: usize>(tensor: &Tensor<D>) -> Option<TensorId> {
    let primitive = tensor.clone().try_into_primitive::<CaptureBackend>().ok()?;
    Some(primitive.id())
}

impl Tape {
    /// The device whose operations are recorded.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// A tensor whose values are those of `leaf`.
    pub fn float<const D: usize>(&self, shape: [usize; D], leaf: Leaf) -> Tensor<D> {
        let tensor = Tensor::zeros(shape, &Device::flex()).to_device(&self.device);
        self.assign(self.name(&tensor), leaf);
        tensor
    }

    /// A tensor of whole numbers whose values are those of `leaf`.
    pub fn int<const D: usize>(&self, shape: [usize; D], leaf: Leaf) -> Tensor<D, Int> {
        // The type that operations on this device give.
        let host = (&Device::flex(), DType::I64);
        let tensor = Tensor::<D, Int>::zeros(shape, host).to_device(&self.device);
        if let Ok(primitive) = tensor.clone().try_into_primitive::<CaptureBackend>() {
            self.leaves.borrow_mut().push((primitive.id(), leaf));
        }
        tensor
    }

    /// Says that the values of a named tensor are those of `leaf`.
    pub fn assign(&self, name: Name, leaf: Leaf) {
        if let Name(Some(id)) = name {
            self.leaves.borrow_mut().push((id, leaf));
        }
    }

    /// A name for a tensor, under which its node is found when the recording is over.
    pub fn name<const D: usize>(&self, tensor: &Tensor<D>) -> Name {
        Name(id(tensor))
    }
}

/// A recorded tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name(Option<TensorId>);

/// What was recorded.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// The operations.
    pub graph: Graph,
    /// Values that never change, of the leaves [`Leaf::Constant`].
    pub constants: Vec<Vec<f32>>,
    nodes: HashMap<TensorId, Id>,
}

impl Recorded {
    /// The node of a recorded tensor.
    ///
    /// # Errors
    /// [`GraphError::Capture`] if it was not recorded.
    pub fn node(&self, name: Name) -> Result<Id, GraphError> {
        (name.0.and_then(|id| self.nodes.get(&id).copied()))
            .ok_or_else(|| GraphError::Capture("a tensor of another device".into()))
    }
}

/// Records what `run` does with tensors of the tape's device; `training` says whether models
/// behave as in training, `constants` are those of earlier recordings, before which new ones
/// are not numbered.
///
/// # Errors
/// [`GraphError::Operation`] if something was done that graphs do not know, and the error of
/// `run`.
pub fn record<T, E: From<GraphError>>(
    training: bool,
    constants: Vec<Vec<f32>>,
    run: impl FnOnce(&Tape) -> Result<T, E>,
) -> Result<(T, Recorded), E> {
    struct Training(bool);
    impl Drop for Training {
        fn drop(&mut self) {
            TRAINING.with(|t| t.set(self.0));
        }
    }
    let device = idle_device();
    let tape = Tape {
        device: device.clone(),
        leaves: RefCell::new(vec![]),
    };
    let before = Training(TRAINING.with(|t| t.replace(training)));
    let mut result = None;
    let captured = device.capture_scope(|scope| {
        result = Some(run(&tape));
        scope.complete([], [])
    });
    drop(before);
    if let Ok(mut idle) = IDLE.lock() {
        idle.push(device);
    }
    let captured = captured.map_err(|error| GraphError::Capture(error.to_string()))?;
    let Some(result) = result else {
        return Err(GraphError::Capture("nothing was recorded".into()).into());
    };
    let result = result?;
    let mut importer = Importer::new(&captured.values, tape.leaves.into_inner(), constants);
    for operation in &captured.graph.operations {
        importer.operation(operation)?;
    }
    let recorded = Recorded {
        graph: importer.graph,
        constants: importer.constants,
        nodes: importer.nodes,
    };
    Ok((result, recorded))
}

/// An operation of our own on tensors that are being recorded: its results, or `None` where
/// the first tensor is not being recorded.
pub fn custom<const D: usize, const N: usize>(
    name: &'static str,
    first: &Tensor<D>,
    others: &[Tensor<1>],
    scalars: &[f64],
    shapes: [&[usize]; N],
) -> Option<[RecordedTensor; N]> {
    let first = first.clone().try_into_primitive::<CaptureBackend>().ok()?;
    let client = first.client.clone();
    let mut inputs: Vec<TensorIr> = vec![first.into_ir()];
    for other in others {
        let other = other.clone().try_into_primitive::<CaptureBackend>().ok()?;
        inputs.push(other.into_ir());
    }
    let outputs: Vec<TensorIr> = shapes
        .iter()
        .map(|shape| {
            let shape = Shape::from(shape.to_vec());
            TensorIr::uninit(client.create_empty_handle(), shape, DType::F32)
        })
        .collect();
    let scalars = scalars.iter().map(|&s| ScalarIr::Float(s)).collect();
    let operation = CustomOpIr::with_scalars(name, &inputs, &outputs, scalars);
    client.register_op(OperationIr::Custom(operation));
    let mut made = outputs.into_iter();
    Some(shapes.map(|shape| {
        let id = made
            .next()
            .map_or_else(|| client.create_empty_handle(), |ir| ir.id);
        let shape = Shape::from(shape.to_vec());
        let dtype = DType::F32;
        RecordedTensor(RouterTensor::new(id, shape, dtype, client.clone()))
    }))
}

/// A result of an operation of our own.
#[derive(Debug)]
pub struct RecordedTensor(RouterTensor<burn_capture::CaptureClient>);

impl RecordedTensor {
    /// The result as a tensor of its rank.
    pub fn tensor<const D: usize>(self) -> Tensor<D> {
        Tensor::from_primitive::<CaptureBackend>(self.0)
    }
}

//! Parts of a model whose inner results are not kept for the derivative but computed again for it
//! (gradient checkpointing: Chen et al. 2016, arXiv 1604.06174): the memory of a step is then that of
//! what lies between the parts and of one part, its time about a third more.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::{Debug, Formatter};
use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::Flex;
use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients as Registered;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops};
use burn::backend::flex::FlexTensor;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Gradients, Tensor};

use crate::flex::{is_cpu, primitive, tensor, tracked, with_derivative};

thread_local! {
    static AGAIN: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread computes a part again: what a forward pass leaves behind (running
/// statistics) it has left already.
pub fn is_recomputing() -> bool {
    AGAIN.get()
}

/// Whether parts of models on this device can be computed again: there are derivatives, by the
/// kernels of this crate.
pub fn can_recompute(device: &Device) -> bool {
    device.is_autodiff() && is_cpu(device)
}

/// What `forward` makes of `part` of a model, its `input` and a `state` (which masks of dropout were
/// drawn, say), to the last bit, without keeping what it makes on the way: that is computed again when
/// the gradients are. On a device where [`can_recompute`] holds.
pub fn recomputed<M, S, const D: usize>(
    part: &M,
    input: Tensor<D>,
    state: &mut S,
    forward: impl Fn(&M, Tensor<D>, &mut S) -> Tensor<D> + Send + 'static,
) -> Tensor<D>
where
    M: Module + 'static,
    S: Clone + Send + 'static,
{
    let before = state.clone();
    let mut leaves = Leaves::default();
    part.visit(&mut leaves);
    // Tensors that need no gradient leave nothing behind, also on a device that derives.
    let part = part.clone().map(&mut Copied { needed: None });
    let plain = input.clone().inner();
    let output = forward(&part, Tensor::from_inner(plain.clone()), state);
    let needed = leaves.needed;
    let again = move |gradient: FlexTensor| {
        let _again = Again::begin();
        let nodes = &needed;
        let part = part.map(&mut Copied {
            needed: Some(nodes),
        });
        let input = Tensor::<D>::from_inner(plain).require_grad();
        let output = forward(&part, input.clone(), &mut before.clone());
        let gradients = seeded(output, gradient).backward();
        let mut found = Found {
            gradients: &gradients,
            nodes,
            of_parameters: vec![],
        };
        part.visit(&mut found);
        PartGradients {
            of_parameters: found.of_parameters,
            of_input: input.grad(&gradients).map(primitive),
        }
    };
    let nodes = {
        let input = tracked(input);
        // One parameter makes the part known to a graph in which the input needs no gradient.
        let other = leaves.first.unwrap_or_else(|| input.node());
        [input.node(), other]
    };
    with_derivative(Part, nodes, primitive(output.inner()), |_| {
        Later(Arc::new(Mutex::new(Some(Box::new(again)))))
    })
}

/// While it lives, this thread computes a part again.
struct Again(bool);

impl Again {
    fn begin() -> Self {
        Self(AGAIN.replace(true))
    }
}

impl Drop for Again {
    fn drop(&mut self) {
        AGAIN.set(self.0);
    }
}

/// The parameters of a part that need gradients, and where the graph has them.
#[derive(Default)]
struct Leaves {
    needed: BTreeMap<ParamId, NodeId>,
    first: Option<NodeGuard>,
}

impl ModuleVisitor for Leaves {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        if value.is_require_grad() {
            let node = tracked(value).node();
            self.needed.insert(param.id, node.id());
            self.first.get_or_insert(node);
        }
    }
}

/// Copies parameters out of the graph that they are in. Of those that are `needed` there are gradients.
struct Copied<'a> {
    needed: Option<&'a BTreeMap<ParamId, NodeId>>,
}

impl ModuleMapper for Copied<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, _) = param.consume();
        let needed = self.needed.is_some_and(|needed| needed.contains_key(&id));
        let value = Tensor::from_inner(value.inner()).set_require_grad(needed);
        Param::initialized(id, value)
    }
}

/// Takes the gradients of a part's parameters out of those of its copy.
struct Found<'a> {
    gradients: &'a Gradients,
    nodes: &'a BTreeMap<ParamId, NodeId>,
    of_parameters: Vec<(NodeId, FlexTensor)>,
}

impl ModuleVisitor for Found<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(node) = self.nodes.get(&param.id) else {
            return;
        };
        if let Some(gradient) = param.val().grad(self.gradients) {
            self.of_parameters.push((*node, primitive(gradient)));
        }
    }
}

/// What the derivative of a part is made of.
struct PartGradients {
    of_parameters: Vec<(NodeId, FlexTensor)>,
    of_input: Option<FlexTensor>,
}

/// Computes a part again, once, for the gradient of its output.
type Recomputation = Box<dyn FnOnce(FlexTensor) -> PartGradients + Send>;

/// What a part's derivative needs.
#[derive(Clone)]
struct Later(Arc<Mutex<Option<Recomputation>>>);

impl Debug for Later {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("a part to be computed again")
    }
}

#[derive(Debug)]
struct Part;

impl Backward<Flex, 2> for Part {
    type State = Later;

    fn backward(self, ops: Ops<Later, 2>, gradients: &mut Registered, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let again = (ops.state.0.lock())
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(again) = again else { return };
        let found = again(gradient);
        for (node, gradient) in found.of_parameters {
            gradients.register::<Flex>(node, gradient);
        }
        let [input, _] = ops.parents;
        if let (Some(node), Some(gradient)) = (input, found.of_input) {
            gradients.register::<Flex>(node.id, gradient);
        }
    }
}

/// A number whose derivative by `output` is `gradient`, exactly.
fn seeded<const D: usize>(output: Tensor<D>, gradient: FlexTensor) -> Tensor<1> {
    let output = tracked(output);
    let nodes = [output.node()];
    with_derivative(Seed, nodes, tensor(vec![0.0], [1]), |_| gradient)
}

#[derive(Debug)]
struct Seed;

impl Backward<Flex, 1> for Seed {
    type State = FlexTensor;

    fn backward(self, ops: Ops<FlexTensor, 1>, gradients: &mut Registered, _: &mut Checkpointer) {
        let [output] = ops.parents;
        if let Some(node) = output {
            gradients.register::<Flex>(node.id, ops.state);
        }
    }
}

//! What every architecture says of itself.

use std::fmt::Debug;

use burn::module::Module;
use rand::Rng;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{
    Activations, Feature, Init, Input, InputKind, Kept, ModelError, ModelShape, Output, OutputKind,
    Pass, Preset,
};

/// The settings of an architecture, as an experiment file gives them under `[model]`, and
/// what can be said of it before it is built.
pub trait Architecture:
    Clone + Debug + Default + PartialEq + Serialize + DeserializeOwned + JsonSchema + 'static
{
    /// The module that it builds.
    type Model: Model;

    /// The name in experiment files.
    const NAME: &'static str;
    /// What goes in.
    const TAKES: InputKind;
    /// What comes out.
    const GIVES: OutputKind;
    /// Beginnings of the names of the parameters that make its head, whose width is the
    /// number of classes; none where there is no head.
    const HEAD: &'static [&'static str] = &[];
    /// Names by which others know it at some size (`resnet50`). An experiment file may use them for the
    /// architecture's own; what stands beside them changes the preset.
    const PRESETS: &'static [Preset<Self>] = &[];
    /// Raised where models of the same settings become others: cells then have other keys.
    const REVISION: u32 = 1;
    /// Whether it drops activations when `dropout` is above 0.
    const DROPS: bool = false;

    /// Names of the layers that a forward pass returns, input side first. The layer before
    /// the head is called `penultimate` in every classifier, the last is `logits`.
    fn layer_names(&self) -> Vec<String>;

    /// Of these layers those behind which a pass can begin ([`Model::output_from`]): of a classifier all
    /// before `logits`.
    fn joints(&self) -> Vec<String> {
        let mut names = self.layer_names();
        names.retain(|name| Self::GIVES == OutputKind::Logits && name != "logits");
        names
    }

    /// Checks the sizes.
    ///
    /// # Errors
    /// [`ModelError::Settings`] with what is wrong and what is accepted.
    fn check(&self) -> Result<(), ModelError>;

    /// What the sides of an image must be divisible by.
    fn stride(&self) -> usize {
        1
    }

    /// The least side of an image of which its strides leave something.
    fn least(&self) -> usize {
        1
    }

    /// What a training step keeps of one sample between its passes.
    fn kept(&self, shape: ModelShape) -> Kept;

    /// The same architecture with another width; `None` where it has none.
    fn with_width(&self, width: usize) -> Option<Self>;

    /// The same architecture with another depth; `None` where it has none.
    fn with_depth(&self, depth: usize) -> Option<Self>;

    /// A new model with weights that `init` draws. The settings and the kind of the input
    /// have been checked.
    ///
    /// # Errors
    /// [`ModelError`] if it cannot be built for `shape`.
    fn build<R: Rng>(
        &self,
        shape: ModelShape,
        init: &mut Init<'_, R>,
    ) -> Result<Self::Model, ModelError>;

    /// Other names of parameters in files of other programs: a regular expression, and
    /// what stands for it here; tried where a file lacks a parameter.
    fn aliases() -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Whether a tensor of a file is rightly left unread: a buffer that is computed here.
    fn is_buffer(tensor: &str) -> bool {
        tensor.ends_with("num_batches_tracked")
    }
}

/// A built model.
pub trait Model: Module {
    /// All named layers for a batch, in one pass, nothing random.
    ///
    /// # Errors
    /// [`ModelError::Input`] if the batch is of another kind.
    fn activations(&self, input: Input) -> Result<Activations, ModelError>;

    /// What a task learns from.
    ///
    /// # Errors
    /// [`ModelError::Input`] if the batch is of another kind.
    fn output(&self, input: Input, pass: &mut Pass<'_>) -> Result<Output, ModelError>;

    /// What a task learns from, of a batch that comes as the activation of one of
    /// [`Architecture::joints`], nothing random; `None` of any other layer, or a feature that is not
    /// of the layer's kind.
    fn output_from(&self, _joint: &str, _activation: Feature) -> Option<Output> {
        None
    }
}

//! How the models of a pair are before they are trained: random, or as checkpoints have them.

use std::borrow::Cow;
use std::path::PathBuf;

use burn::tensor::Device;
use rand::Rng;
use reprsim_models::{ModelConfig, ModelShape, Network};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::checkpoint::load_into;
use crate::error::TrainError;

/// What stands for random weights where a checkpoint could.
pub const RANDOM: &str = "random";

/// How the models of a pair begin, as an experiment file gives it under `[initial]`; without
/// that section weights are random.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InitialStates {
    /// Where models begin, one entry or a list. An entry is a file of weights, its path from where the
    /// experiment file is (`.safetensors` as this program or PyTorch writes it, `.pth`, `.pt` or `.bin`
    /// as PyTorch does); the name of weights of `reprsim weights list`; `hub:OWNER/NAME` or
    /// `hub:OWNER/NAME/FILE`, which is looked up in the hub's cache on this machine and never fetched;
    /// or `random`, random weights. Repetition s (its seed, from 0) takes the entry s, after the last
    /// the first again.
    #[schemars(with = "Given")]
    pub checkpoint: Entries,
    /// Whether both models of a pair begin as the same entry. If not, model a begins as the entry
    /// s and model b as the one after it; of two entries a always begins as the first and b as
    /// the second.
    #[serde(default = "yes")]
    pub shared: bool,
    /// What names the content of each entry, wherever it is; `"random"` of random weights.
    #[serde(default)]
    #[schemars(skip)]
    pub content: Entries,
    /// Names of its tensors that are called otherwise here: pairs of a regular expression
    /// and what replaces it, in this order.
    #[serde(default)]
    pub names: Vec<[String; 2]>,
    /// Where the head comes from.
    #[serde(default)]
    pub head: Head,
    /// What the pairs that were "not yet trained on this" are, to which trained pairs are
    /// compared as the floor.
    pub reference: Reference,
    /// Of a grid over `size`: where models of a listed architecture begin; others begin as
    /// `checkpoint` says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sizes: Vec<OfSize>,
}

/// Where models of one architecture begin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OfSize {
    /// The architecture as the grid lists it: its name, or its settings.
    #[serde(deserialize_with = "named_or_set")]
    #[schemars(with = "Listed")]
    pub model: ModelConfig,
    /// As of all.
    #[schemars(with = "Given")]
    pub checkpoint: Entries,
    /// What names the content of each entry.
    #[serde(default)]
    #[schemars(skip)]
    pub content: Entries,
}

/// An architecture by its name, or with its settings.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is a schema")]
enum Listed {
    Name(String),
    Settings(ModelConfig),
}

fn named_or_set<'de, D: Deserializer<'de>>(given: D) -> Result<ModelConfig, D::Error> {
    let settings = match Value::deserialize(given)? {
        Value::String(name) => json!({ "name": name }),
        settings => settings,
    };
    reprsim_base::settings(&settings).map_err(D::Error::custom)
}

fn yes() -> bool {
    true
}

/// One entry, written as text, or a list of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Given", into = "Given")]
pub struct Entries(pub Vec<String>);

/// Entries as they are written.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "it must be text, or a list of texts")]
enum Given {
    /// One.
    One(String),
    /// Any number.
    Several(Vec<String>),
}

impl From<Given> for Entries {
    fn from(given: Given) -> Self {
        match given {
            Given::One(entry) => Self(vec![entry]),
            Given::Several(entries) => Self(entries),
        }
    }
}

impl From<Entries> for Given {
    fn from(Entries(mut entries): Entries) -> Self {
        match entries.len() {
            1 => Self::One(entries.remove(0)),
            _ => Self::Several(entries),
        }
    }
}

impl InitialStates {
    /// How models of an architecture begin.
    pub fn of(&self, model: &ModelConfig) -> Cow<'_, Self> {
        match self.sizes.iter().find(|size| size.model == *model) {
            None => Cow::Borrowed(self),
            Some(size) => Cow::Owned(Self {
                checkpoint: size.checkpoint.clone(),
                content: size.content.clone(),
                sizes: vec![],
                ..self.clone()
            }),
        }
    }

    /// Places of the entries that models a and b of a pair of this seed begin as.
    pub fn places(&self, seed: usize) -> [usize; 2] {
        let count = self.checkpoint.0.len().max(1);
        match (self.shared, count) {
            (true, _) => [seed % count; 2],
            (false, 2) => [0, 1],
            (false, _) => [seed % count, (seed + 1) % count],
        }
    }

    /// How models a and b of a pair of this seed begin.
    pub fn of_pair(&self, seed: usize) -> [Initial; 2] {
        self.places(seed).map(|place| self.of_entry(place))
    }

    /// How a model begins that begins as an entry.
    fn of_entry(&self, place: usize) -> Initial {
        let at = |entries: &Entries| entries.0.get(place).cloned().unwrap_or_default();
        let checkpoint = at(&self.checkpoint);
        match checkpoint == RANDOM {
            true => Initial::Random,
            false => Initial::Checkpoint(Foreign {
                checkpoint: checkpoint.into(),
                content: at(&self.content),
                names: self.names.clone(),
                head: self.head,
            }),
        }
    }

    /// How models of the experiment begin, each way once.
    pub fn all(&self) -> Vec<Initial> {
        let mut found: Vec<Initial> = vec![];
        for place in 0..self.checkpoint.0.len() {
            let initial = self.of_entry(place);
            if !found.contains(&initial) {
                found.push(initial);
            }
        }
        found
    }
}

/// A checkpoint that a model begins as.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreign {
    /// The file.
    pub checkpoint: PathBuf,
    /// What names its content, wherever it is.
    pub content: String,
    /// Names of its tensors that are called otherwise here: a regular expression and what
    /// replaces it.
    pub names: Vec<[String; 2]>,
    /// Where the head comes from.
    pub head: Head,
}

/// Where the head of a model that begins as a checkpoint comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Head {
    /// It is random, each model's its own.
    #[default]
    Fresh,
    /// It is the checkpoint's.
    File,
}

/// What "not yet trained on this" means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reference {
    /// Pairs of models with random weights: never trained on anything.
    Random,
    /// Pairs as they begin: each model as its own entry has it, but for fresh heads.
    Initial,
}

/// How a model begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Initial {
    /// With random weights.
    #[default]
    Random,
    /// As a checkpoint.
    Checkpoint(Foreign),
}

impl Initial {
    /// The checkpoint, if there is one.
    pub fn foreign(&self) -> Option<&Foreign> {
        match self {
            Self::Random => None,
            Self::Checkpoint(foreign) => Some(foreign),
        }
    }

    /// A model in this state; what is random of it comes from `rng`.
    ///
    /// # Errors
    /// [`TrainError::Model`], [`TrainError::Checkpoint`].
    pub fn network(
        &self,
        model: &ModelConfig,
        shape: ModelShape,
        rng: &mut impl Rng,
        device: &Device,
    ) -> Result<Network, TrainError> {
        let network = Network::new(model, shape, rng, device)?;
        match self {
            Self::Random => Ok(network),
            Self::Checkpoint(foreign) => {
                let fresh = foreign.head == Head::Fresh;
                load_into(network, &foreign.checkpoint, model, &foreign.names, fresh)
            }
        }
    }
}

//! Checkpoints: all parameters in one safetensors file, laid out and named as
//! PyTorch would.

use std::error::Error;
use std::path::Path;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Bytes, DType, Device, FloatDType, Tensor, TensorData};
use burn_store::{
    ApplyResult, BurnToPyTorchAdapter, BurnpackStore, KeyRemapper, ModuleSnapshot, ModuleStore,
    PyTorchToBurnAdapter, PytorchStore, SafetensorsStore,
};
use reprsim_base::{SealError, Stream, check_safetensors, seal_safetensors, write_whole};
use reprsim_models::{ModelConfig, ModelShape, Network};

use crate::error::TrainError;

/// Version of the checkpoint layout, kept in each file's metadata.
const SCHEMA: &str = "1";
/// What the tensors of a head that is not read are called.
const UNREAD: &str = "unread.";

type Reason = Box<dyn Error + Send + Sync>;

fn failed(path: &Path) -> impl Fn(Reason) -> TrainError + '_ {
    |reason| TrainError::Checkpoint {
        path: path.to_path_buf(),
        reason,
    }
}

/// Writes `network` to `path`, whole or not at all, with `metadata` pairs and a digest.
///
/// # Errors
/// [`TrainError::Checkpoint`] with the file and the reason.
pub fn save_checkpoint(
    network: &Network,
    path: &Path,
    metadata: &[(&str, &str)],
) -> Result<(), TrainError> {
    let write = || -> Result<(), Reason> {
        let mut store = SafetensorsStore::from_bytes(None)
            .with_to_adapter(BurnToPyTorchAdapter)
            .skip_enum_variants(true)
            .clear_metadata()
            .metadata("reprsim_schema", SCHEMA);
        for (key, value) in metadata {
            store = store.metadata(*key, *value);
        }
        store.collect_from(network)?;
        Ok(write_whole(path, &seal_safetensors(&store.get_bytes()?)?)?)
    };
    write().map_err(failed(path))
}

/// Reads a checkpoint (`.safetensors`, or `.pth` and `.pt` as PyTorch saves a state
/// dict, alone or under `state_dict`) of weights of any float type into a model of the given
/// architecture on `device`: ready for inference,
/// or for training on a device with automatic differentiation.
///
/// # Errors
/// [`TrainError::Checkpoint`] if the file cannot be read or does not fit the
/// architecture.
pub fn load_checkpoint(
    path: &Path,
    model: &ModelConfig,
    shape: ModelShape,
    device: &Device,
) -> Result<Network, TrainError> {
    // The initial weights are all replaced; any stream will do.
    let network = Network::new(model, shape, &mut Stream::new(0).rng(), device)?;
    load_into(network, path, model, &[], false)
}

/// Reads a checkpoint that was written with these `metadata` pairs, which say whose it is.
///
/// # Errors
/// As [`load_checkpoint`]; also if it carries no digest or is another's.
pub fn load_own_checkpoint(
    path: &Path,
    model: &ModelConfig,
    shape: ModelShape,
    metadata: &[(&str, &str)],
) -> Result<Network, TrainError> {
    let fail = failed(path);
    let bytes = std::fs::read(path).map_err(|e| fail(e.into()))?;
    let found = check_safetensors(&bytes).map_err(|e| fail(e.into()))?;
    for (name, value) in metadata {
        let there = found.get(*name).map_or("nothing", String::as_str);
        if there != *value {
            return Err(fail(format!("its {name} is {there}, not {value}").into()));
        }
    }
    let network = Network::new(model, shape, &mut Stream::new(0).rng(), &Device::flex())?;
    load_checked(network, path, model, &[], false)
}

/// Refuses a checkpoint that carries a digest and is not what it says. Other tools' have none.
fn check(path: &Path) -> Result<(), Reason> {
    match is_pytorch(path) {
        true => Ok(()),
        false => match check_safetensors(&std::fs::read(path)?) {
            Err(SealError::Broken) => Err(SealError::Broken.into()),
            _ => Ok(()),
        },
    }
}

/// Whether a file is of PyTorch's own (`torch.save(model.state_dict())`), by its extension;
/// everything else is safetensors.
fn is_pytorch(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str());
    matches!(extension, Some("pth" | "pt"))
}

/// The network with the weights of a file, whose tensors are first renamed as `names` says
/// (regular expressions and replacements); with its own head where that is `fresh`.
///
/// # Errors
/// [`TrainError::Checkpoint`] if the file cannot be read or does not fit the architecture.
pub(crate) fn load_into(
    network: Network,
    path: &Path,
    model: &ModelConfig,
    names: &[[String; 2]],
    fresh: bool,
) -> Result<Network, TrainError> {
    check(path).map_err(failed(path))?;
    load_checked(network, path, model, names, fresh)
}

/// The same of a file whose digest was looked at.
fn load_checked(
    mut network: Network,
    path: &Path,
    model: &ModelConfig,
    names: &[[String; 2]],
    fresh: bool,
) -> Result<Network, TrainError> {
    let fail = failed(path);
    let mut renamed: Vec<[String; 2]> = names.to_vec();
    let head = match fresh {
        true => model.head(),
        false => &[],
    };
    renamed.extend(head.iter().map(|name| {
        let pattern = format!("^{}", name.replace('.', r"\."));
        [pattern, format!("{UNREAD}{name}")]
    }));
    let mut result = read(&mut network, path, &renamed, fresh, None);
    let lacks = |result: &Result<ApplyResult, Reason>| match result {
        Ok(result) => !result.missing.is_empty(),
        Err(_) => true,
    };
    // What the file has by its own names is what counts: the first error is told.
    let aliases = model.aliases().iter();
    let aliases: Vec<[String; 2]> = aliases
        .map(|(name, ours)| [(*name).into(), (*ours).into()])
        .collect();
    let wrapped = [WRAPPERS.to_string(), String::new()];
    for (more, inside) in [
        (aliases.clone(), None),
        ([vec![wrapped.clone()], aliases.clone()].concat(), None),
        ([vec![wrapped], aliases].concat(), Some("state_dict")),
    ] {
        if !lacks(&result) {
            break;
        }
        let renamed = [more, renamed.clone()].concat();
        if let Ok(found) = read(&mut network, path, &renamed, fresh, inside)
            && (result.is_err() || found.missing.is_empty())
        {
            result = Ok(found);
        }
    }
    // What burn says goes on for many lines, of which the first names the tensor.
    let first = |e: Reason| e.to_string().lines().next().unwrap_or_default().to_string();
    let result = result.map_err(|e| fail(first(e).into()))?;
    let of_head = |name: &str| head.iter().any(|head| name.starts_with(head));
    if let Some((missing, _)) = result.missing.iter().find(|(name, _)| !of_head(name)) {
        return Err(fail(format!("it lacks the tensor '{missing}'").into()));
    }
    // burn leaves alone what it has no place for; a model with more is another model.
    let unknown = |name: &&String| !model.is_buffer(name) && !name.starts_with(UNREAD);
    if let Some(name) = result.unused.iter().find(unknown) {
        let model = model.name();
        let reason = format!("it has the tensor '{name}', for which a {model} here has no place");
        return Err(fail(reason.into()));
    }
    let network = network.map(&mut Single);
    let mut numbers = Numbers::default();
    network.visit(&mut numbers);
    match numbers.odd {
        None => Ok(network),
        Some(name) => Err(fail(
            format!("the tensor '{name}' has values that are no finite numbers in f32").into(),
        )),
    }
}

/// Finds the first parameter whose values are not all numbers.
#[derive(Default)]
struct Numbers {
    names: Vec<String>,
    odd: Option<String>,
}

impl ModuleVisitor for Numbers {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.names.push(name.to_string());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.names.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let is_odd = |values: TensorData| {
            let values = values.as_slice::<f32>();
            values.is_ok_and(|values| values.iter().any(|v| !v.is_finite()))
        };
        if self.odd.is_none() && is_odd(param.val().into_data()) {
            // The first name is that of the architecture.
            self.odd = Some(
                self.names
                    .iter()
                    .skip(1)
                    .cloned()
                    .collect::<Vec<_>>()
                    .join("."),
            );
        }
    }
}

/// What programs put before the names of a model that they wrap: PyTorch's data parallelism, its
/// compiler, and trainers.
const WRAPPERS: &str = r"^((module|_orig_mod|state_dict|model)\.)+";

/// Brings weights of other types to f32, which models compute in.
struct Single;

impl ModuleMapper for Single {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match param.val().dtype() {
            DType::F32 => param,
            _ => param.map(|values| values.cast(FloatDType::F32)),
        }
    }
}

fn read(
    network: &mut Network,
    path: &Path,
    names: &[[String; 2]],
    partial: bool,
    inside: Option<&str>,
) -> Result<ApplyResult, Reason> {
    let pairs = names.iter().map(|[from, to]| (from.as_str(), to.as_str()));
    let remapper = KeyRemapper::from_pattern_iter(pairs)?;
    if is_pytorch(path) {
        let mut store = PytorchStore::from_file(path)
            .remap(remapper)
            .allow_partial(partial);
        if let Some(key) = inside {
            store = store.with_top_level_key(key);
        }
        return Ok(network.load_from(&mut store)?);
    }
    let mut store = SafetensorsStore::from_file(path)
        .with_from_adapter(PyTorchToBurnAdapter)
        .skip_enum_variants(true)
        .remap(remapper)
        .allow_partial(partial);
    Ok(network.load_from(&mut store)?)
}

/// A network with its parameters' ids.
pub(crate) fn packed(network: &Network) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let mut store = BurnpackStore::from_bytes(None);
    store.collect_from(network)?;
    Ok(store.get_bytes()?.to_vec())
}

/// The network that was packed, in place of one of the same shapes.
pub(crate) fn unpacked(bytes: Vec<u8>, mut network: Network) -> Option<Network> {
    let mut store = BurnpackStore::from_bytes(Some(Bytes::from_bytes_vec(bytes)));
    network.load_from(&mut store).ok()?;
    Some(network)
}

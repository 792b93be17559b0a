//! Checkpoints: all parameters in one safetensors file, laid out and named as
//! PyTorch would.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Bytes, DType, Device, FloatDType, Tensor, TensorData};
use burn_store::{
    ApplyResult, BurnToPyTorchAdapter, BurnpackStore, KeyRemapper, ModuleSnapshot, ModuleStore,
    PyTorchToBurnAdapter, PytorchStore, PytorchStoreError, SafetensorsStore,
};
use reprsim_base::{SealError, Stream, check_safetensors, seal_safetensors, write_whole};
use reprsim_models::{ModelConfig, ModelShape, Network};

use crate::error::TrainError;
use crate::tensor_names::{misfit, pattern, prefixes, sizes_differ, surplus, too_many};
use crate::weights_file::{WeightsFormat, words};

/// Version of the checkpoint layout, kept in each file's metadata.
const SCHEMA: &str = "1";
/// What the tensors of a head that is not read are called.
const UNREAD: &str = "unread.";

type Reason = Box<dyn Error + Send + Sync>;

/// A file and how weights are kept in it.
type File<'a> = (&'a Path, WeightsFormat);

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

/// Reads a checkpoint (safetensors, or a state dict as PyTorch saves it, alone or under
/// `state_dict`, which its bytes tell) of weights of any float type into a model of the given
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
    let file = (path, WeightsFormat::Safetensors);
    load_checked(network, file, model, &[], false)
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
    let fail = failed(path);
    let format = WeightsFormat::of(path).map_err(&fail)?;
    // One that carries a digest and is not what it says. Other tools' have none.
    if format == WeightsFormat::Safetensors {
        let bytes = std::fs::read(path).map_err(|e| fail(e.into()))?;
        if let Err(SealError::Broken) = check_safetensors(&bytes) {
            return Err(fail(SealError::Broken.into()));
        }
    }
    load_checked(network, (path, format), model, names, fresh)
}

/// The same of a file whose digest was looked at.
fn load_checked(
    mut network: Network,
    file: File<'_>,
    model: &ModelConfig,
    names: &[[String; 2]],
    fresh: bool,
) -> Result<Network, TrainError> {
    let fail = failed(file.0);
    let mut renamed: Vec<[String; 2]> = names.to_vec();
    let head = match fresh {
        true => model.head(),
        false => &[],
    };
    renamed.extend(head.iter().map(|name| {
        let pattern = format!("^{}", name.replace('.', r"\."));
        [pattern, format!("{UNREAD}{name}")]
    }));
    let of_head = |name: &str| head.iter().any(|head| name.starts_with(head));
    let result = fitting(&mut network, file, model, &renamed, &of_head).map_err(&fail)?;
    // burn leaves alone what it has no place for; a model with more is another model.
    let unknown = |name: &&str| !name.starts_with(UNREAD);
    let others: Vec<&str> = (surplus(&result, model).into_iter())
        .filter(unknown)
        .collect();
    if !others.is_empty() {
        return Err(fail(too_many(&others, model).into()));
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

/// Reads the tensors of a file whose names are to be changed so, and as else other programs call
/// them, until all are there but those of a head that is not read.
///
/// # Errors
/// That of reading the file under its own names, or how it does not fit.
fn fitting(
    network: &mut Network,
    file: File<'_>,
    model: &ModelConfig,
    renamed: &[[String; 2]],
    of_head: &dyn Fn(&str) -> bool,
) -> Result<ApplyResult, Reason> {
    let lacks = |found: &ApplyResult| -> Vec<String> {
        let missing = found.missing.iter().map(|(name, _)| name.clone());
        missing.filter(|name| !of_head(name)).collect()
    };
    let mut read = |more: &[[String; 2]], inside: Option<&str>| {
        let names = [more, renamed].concat();
        let found = read(network, file, &names, inside)?;
        Ok::<_, Reason>((lacks(&found), found))
    };
    let aliases = model.aliases().iter();
    let aliases: Vec<[String; 2]> = aliases
        .map(|(name, ours)| [(*name).into(), (*ours).into()])
        .collect();
    let without = |prefix: &str| [vec![[prefix.into(), String::new()]], aliases.clone()].concat();
    let mut tries = vec![
        (vec![], None),
        (aliases.clone(), None),
        (without(WRAPPERS), None),
    ];
    if file.1 == WeightsFormat::PyTorch {
        // As trainers save it, beside the state of an optimiser.
        tries.extend(["state_dict", "model"].map(|key| (without(WRAPPERS), Some(key))));
    }
    let others = |found: &ApplyResult| -> Vec<String> {
        let others = surplus(found, model).into_iter();
        (others
            .filter(|name| !name.starts_with(UNREAD))
            .map(String::from))
        .collect()
    };
    // One that has all, and what has no place.
    let mut more_than_all = None;
    let mut closest: Option<(Vec<String>, ApplyResult, Option<&str>)> = None;
    let mut error = None;
    for (number, (more, inside)) in tries.iter().enumerate() {
        match read(more, *inside) {
            Ok((missing, found)) if missing.is_empty() => match others(&found).is_empty() {
                true => return Ok(found),
                false => more_than_all = more_than_all.or(Some(found)),
            },
            Ok((missing, found)) => {
                if closest
                    .as_ref()
                    .is_none_or(|(least, ..)| missing.len() < least.len())
                {
                    closest = Some((missing, found, *inside));
                }
            }
            // What it has by its own names is what counts.
            Err(e) if number == 0 => error = Some(e),
            Err(_) => {}
        }
    }
    if let Some(found) = more_than_all {
        return Ok(found);
    }
    let Some((missing, found, inside)) = closest else {
        return Err(first_line(error));
    };
    let others = others(&found);
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    for prefix in prefixes(&others) {
        match read(&without(&pattern(prefix)), inside) {
            Ok((missing, found)) if missing.is_empty() => {
                say_once(file.0, prefix);
                return Ok(found);
            }
            Ok(_) => {}
            Err(e) if error.is_none() => error = Some(e),
            Err(_) => {}
        }
    }
    match error {
        Some(_) => Err(first_line(error)),
        None => {
            let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
            Err(misfit(&missing, &found, &others, model).into())
        }
    }
}

/// What burn says goes on for many lines, of which the first names the tensor.
fn first_line(error: Option<Reason>) -> Reason {
    let text = error.map_or(String::new(), |e| e.to_string());
    let first = text.lines().find(|line| !line.trim().is_empty());
    first.unwrap_or("no tensors in it").trim().into()
}

/// Says what is left off the names of a file, of which each model of a run is made.
fn say_once(path: &Path, prefix: &str) {
    static SAID: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if said.insert(path.into()) {
        let path = path.display();
        log::info!("{path}: its tensors have '{prefix}' before their names, which is left off");
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
    (path, format): File<'_>,
    names: &[[String; 2]],
    inside: Option<&str>,
) -> Result<ApplyResult, Reason> {
    let pairs = names.iter().map(|[from, to]| (from.as_str(), to.as_str()));
    let remapper = KeyRemapper::from_pattern_iter(pairs)?;
    // What is missing or of another shape is told here, shorter.
    let found = if format == WeightsFormat::PyTorch {
        // Numbers in names stay as they are, also where a layer without weights has one (`classifier.1`).
        let mut store = PytorchStore::from_file(path)
            .map_indices_contiguous(false)
            .remap(remapper)
            .validate(false)
            .allow_partial(true);
        if let Some(key) = inside {
            store = store.with_top_level_key(key);
        }
        network.load_from(&mut store).map_err(|e| match e {
            PytorchStoreError::Reader(e) => words(&e).into(),
            other => Reason::from(other),
        })?
    } else {
        let mut store = SafetensorsStore::from_file(path)
            .with_from_adapter(PyTorchToBurnAdapter)
            .skip_enum_variants(true)
            .remap(remapper)
            .validate(false)
            .allow_partial(true);
        network.load_from(&mut store)?
    };
    match found.errors.as_slice() {
        [] => Ok(found),
        errors => Err(sizes_differ(errors).into()),
    }
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

//! Which parameters of a model are trained, and at which multiples of the learning rate.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use reprsim_base::{Stream, unknown};
use reprsim_models::{ModelConfig, ModelShape, Network};

use crate::config::TrainingConfig;
use crate::error::TrainError;
use crate::tensor_names::as_pytorch;

/// What training does with an array of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Treatment {
    /// Whether it is no parameter, but a running statistic.
    pub is_state: bool,
    /// Whether it is trained, if it is a parameter.
    pub trains: bool,
    /// What the learning rate is multiplied by.
    pub times: f64,
}

/// What training does with the arrays of one model.
#[derive(Clone, Debug)]
pub(crate) struct Freezing {
    /// In the order in which a visitor meets them.
    pub arrays: Vec<Treatment>,
    /// Scales of the norms that keep their statistics.
    pub held: Arc<BTreeSet<ParamId>>,
    ids: Vec<ParamId>,
}

impl Freezing {
    /// What `config` says of the arrays of a network.
    ///
    /// # Errors
    /// [`TrainError::Parts`] if it names a part that there is not, or leaves nothing to train.
    pub fn of(
        network: &Network,
        config: &TrainingConfig,
        model: &ModelConfig,
    ) -> Result<Self, TrainError> {
        let mut found = Names::default();
        network.visit(&mut found);
        let names = &found.names;
        let is_state = |name: &String| {
            let last = name.rsplit('.').next();
            last.is_some_and(|last| last.starts_with("running_"))
        };
        let mut arrays: Vec<Treatment> = (names.iter())
            .map(|name| Treatment {
                is_state: is_state(name),
                trains: true,
                times: 1.0,
            })
            .collect();
        for part in &config.freeze {
            let places = places(names, part).map_err(|e| refusal("freeze", part, model, &e))?;
            places.for_each(|place| arrays[place].trains = false);
        }
        for rate in &config.rates {
            let places =
                places(names, &rate.name).map_err(|e| refusal("rates", &rate.name, model, &e))?;
            places.for_each(|place| arrays[place].times = rate.times);
        }
        if !arrays.iter().any(|array| array.trains && !array.is_state) {
            return Err(TrainError::Parts(
                "freeze leaves nothing to train: leave out the parts that are to learn".into(),
            ));
        }
        let held = |array: &Treatment| config.frozen_norms || !array.trains;
        let of_norms = (found.ids.iter().zip(&arrays)).filter(|(_, array)| held(array));
        Ok(Self {
            held: Arc::new(of_norms.map(|(id, _)| *id).collect()),
            arrays,
            ids: found.ids,
        })
    }

    /// The network without derivatives for what is not trained.
    pub fn applied(&self, network: Network) -> Network {
        struct Untracked(BTreeSet<ParamId>);
        impl ModuleMapper for Untracked {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                match self.0.contains(&param.id) {
                    true => param.set_require_grad(false),
                    false => param,
                }
            }
        }
        let fixed = (self.ids.iter().zip(&self.arrays))
            .filter(|(_, array)| !array.trains && !array.is_state)
            .map(|(id, _)| *id)
            .collect::<BTreeSet<_>>();
        match fixed.is_empty() {
            true => network,
            false => network.map(&mut Untracked(fixed)),
        }
    }

    /// Gradients by what the learning rate of their parameters is multiplied by.
    pub fn by_rate(
        &self,
        network: &Network,
        mut gradients: GradientsParams,
    ) -> Vec<(f64, GradientsParams)> {
        struct Moved<'a> {
            ids: BTreeSet<ParamId>,
            from: &'a mut GradientsParams,
            to: GradientsParams,
        }
        impl ModuleVisitor for Moved<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if self.ids.contains(&param.id)
                    && let Some(gradient) = self.from.remove::<D>(param.id)
                {
                    self.to.register(param.id, gradient);
                }
            }
        }
        let mut others: BTreeMap<u64, BTreeSet<ParamId>> = BTreeMap::new();
        for (id, array) in self.ids.iter().zip(&self.arrays) {
            if array.times != 1.0 {
                others.entry(array.times.to_bits()).or_default().insert(*id);
            }
        }
        let mut found = vec![];
        for (times, ids) in others {
            let mut moved = Moved {
                ids,
                from: &mut gradients,
                to: GradientsParams::new(),
            };
            network.visit(&mut moved);
            found.push((f64::from_bits(times), moved.to));
        }
        found.push((1.0, gradients));
        found
    }
}

/// Refuses what names a part that a model has not, or leaves nothing to train.
///
/// # Errors
/// [`TrainError::Parts`]; those of building the model.
pub fn check_parts(
    config: &TrainingConfig,
    model: &ModelConfig,
    shape: ModelShape,
) -> Result<(), TrainError> {
    if config.freeze.is_empty() && config.rates.is_empty() {
        return Ok(());
    }
    let rng = &mut Stream::new(0).rng();
    let network = Network::new(model, shape, rng, &Device::flex())?;
    Freezing::of(&network, config, model).map(|_| ())
}

fn refusal(key: &str, part: &str, model: &ModelConfig, reason: &str) -> TrainError {
    let model = model.name();
    TrainError::Parts(format!(
        "{key} = \"{part}\" under [training], of a {model}: {reason}"
    ))
}

/// Names of a model's arrays, as PyTorch would have them.
#[derive(Default)]
struct Names {
    around: Vec<String>,
    names: Vec<String>,
    ids: Vec<ParamId>,
}

impl ModuleVisitor for Names {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.around.push(name.to_string());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.around.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        // The first name is that of the architecture.
        let inside: Vec<&str> = self.around.iter().skip(1).map(String::as_str).collect();
        self.names.push(as_pytorch(&inside.join(".")));
        self.ids.push(param.id);
    }
}

/// Places of the arrays that a part, or a range from one to another, is of.
fn places(names: &[String], part: &str) -> Result<Range<usize>, String> {
    let (first, last) = part.split_once("..").unwrap_or((part, part));
    let of = |wanted: &str| {
        let is_of = |name: &String| {
            let rest = name.strip_prefix(wanted);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let start = names.iter().position(is_of);
        let end = names.iter().rposition(is_of);
        start.zip(end).ok_or_else(|| {
            let mut known: Vec<&str> = vec![];
            for name in names.iter().filter_map(|name| name.split('.').next()) {
                if !known.contains(&name) {
                    known.push(name);
                }
            }
            unknown("part", wanted, &known)
        })
    };
    let ((start, _), (_, end)) = (of(first)?, of(last)?);
    match start <= end {
        true => Ok(start..end + 1),
        false => Err(format!("'{first}' comes after '{last}': turn them round")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_whole_names_and_ranges_in_order() {
        let names = [
            "conv1.weight",
            "conv10.weight",
            "layer.0.a",
            "layer.1.a",
            "fc.bias",
        ];
        let names = names.map(String::from);
        let at = |part: &str| places(&names, part);
        assert_eq!(at("conv1").unwrap(), 0..1);
        assert_eq!(at("conv1.weight").unwrap(), 0..1);
        assert_eq!(at("layer").unwrap(), 2..4);
        assert_eq!(at("layer.1").unwrap(), 3..4);
        assert_eq!(at("conv10..layer.0").unwrap(), 1..3);
        assert_eq!(at("conv1..fc").unwrap(), 0..5);
        let error = at("layr").unwrap_err();
        assert!(error.contains("did you mean 'layer'?"), "{error}");
        assert!(error.contains("conv1, conv10, layer, fc"), "{error}");
        assert!(at("conv").is_err() && at("").is_err() && at("conv1..").is_err());
        assert!(at("fc..conv1").unwrap_err().contains("turn them round"));
    }
}

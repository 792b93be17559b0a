//! Models run over a probe on a GPU: their pass is recorded once, and each batch replays it for
//! all of them.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use reprsim_graph::{
    Computation, Gpu, GraphError, Leaf, Load, Name, Precision, Profile, Program, Region, Resident,
    Session, Shapes, Staged, Tape, Target, record,
};
use reprsim_models::Network;
use reprsim_train::Supply;

use crate::error::ExtractError;
use crate::probe::{Keep, LayerActivation, ask_to_keep};

/// Models of equal shapes, ready to be run over samples.
pub(crate) struct Recorded<'a> {
    samples: &'a Supply,
    session: Session,
    layers: Vec<Layer>,
    models: usize,
    /// Samples of a batch.
    batch: usize,
}

/// What is kept of a batch.
struct Layer {
    name: String,
    /// Rows of a sample: more than one where every token is a row.
    rows: usize,
    width: usize,
}

impl<'a> Recorded<'a> {
    /// `None` where the pass is not recorded: on a device that is not wgpu's, of models whose
    /// shapes differ or whose operations graphs do not know.
    pub fn new(
        networks: &[&Network],
        samples: &'a Supply,
        batch: usize,
        keep: &Keep<'_>,
    ) -> Result<Option<Self>, ExtractError> {
        if samples.is_empty() || networks.is_empty() {
            return Ok(None);
        }
        // What we cannot open burn may, or says better what is wrong.
        let Some(gpu) = Gpu::of(samples.device()) else {
            return Ok(None);
        };
        let data = match samples.on_gpu(&gpu) {
            Err(GraphError::Memory { .. }) => return Ok(None),
            data => data?,
        };
        let arrays: Vec<Arrays> = networks.iter().map(|network| Arrays::of(network)).collect();
        if arrays.iter().any(|other| other.shapes != arrays[0].shapes) {
            return Ok(None);
        }
        let mut batch = batch.clamp(1, samples.len());
        loop {
            match Self::of(
                &gpu,
                networks[0],
                &arrays,
                samples,
                data.clone(),
                batch,
                keep,
            ) {
                // Fewer samples at once need less; burn does what does not fit even so.
                Err(ExtractError::Graph(GraphError::Memory { .. })) if batch > 1 => batch /= 2,
                Err(ExtractError::Graph(GraphError::Memory { .. } | GraphError::Operation(_))) => {
                    return Ok(None);
                }
                found => return found.map(Some),
            }
        }
    }

    fn of(
        gpu: &Gpu,
        network: &Network,
        arrays: &[Arrays],
        samples: &'a Supply,
        data: Option<Resident>,
        batch: usize,
        keep: &Keep<'_>,
    ) -> Result<Self, ExtractError> {
        // The values are written to the session; those of a copy mean nothing. (Inference has a
        // copy of running statistics, which clones share.)
        let network = network.valid().map(&mut Blank);
        let run = |tape: &Tape| pass(network, samples, batch, keep, tape);
        let (layers, recorded) = record(false, vec![], run)?;
        let mut outputs = vec![];
        for (_, name) in &layers {
            outputs.push((recorded.node(*name)?, Target::Read));
        }
        let computation = Computation {
            graph: recorded.graph,
            outputs,
            feeds: vec![samples.taped_words(batch)],
            samples: samples.taped_samples(),
            precision: Precision::F32,
        };
        let shapes = Shapes {
            states: arrays[0].values.iter().map(Vec::len).collect(),
            constants: recorded.constants,
            ..Shapes::default()
        };
        let program = Program::new(&computation, &shapes, None, gpu.hardware);
        let programs = vec![Load { program, data }];
        let session = Session::new(gpu, &shapes, arrays.len(), programs)?;
        for (model, arrays) in arrays.iter().enumerate() {
            for (i, values) in arrays.values.iter().enumerate() {
                session.write(model, Region::State(i), values);
            }
        }
        Ok(Self {
            samples,
            session,
            layers: layers.into_iter().map(|(layer, _)| layer).collect(),
            models: arrays.len(),
            batch,
        })
    }

    /// Every layer of every model, `[n, d]`, in the host's memory.
    pub fn run(&self) -> Result<Vec<Vec<LayerActivation>>, ExtractError> {
        let (n, batch) = (self.samples.len(), self.batch);
        let of_sample = |layer: &Layer| layer.rows * layer.width;
        ask_to_keep(
            n,
            self.models * self.layers.iter().map(of_sample).sum::<usize>(),
        )?;
        let mut values = vec![vec![vec![]; self.layers.len()]; self.models];
        let mut take = |staged: Staged, count: usize| -> Result<(), GraphError> {
            let mut found = self.session.fetch(staged)?.into_iter();
            for of_model in &mut values {
                for (layer, values) in self.layers.iter().zip(of_model) {
                    let found = found.next().unwrap_or_default();
                    values.extend_from_slice(&found[..count * layer.rows * layer.width]);
                }
            }
            Ok(())
        };
        // The device works on a batch while the one before is fetched.
        let mut before: Option<(Staged, usize)> = None;
        for start in (0..n).step_by(batch) {
            let count = batch.min(n - start);
            let fed = self.samples.taped_feed(start..start + count);
            // A batch that is not full is filled up with zeros: any sample, of which nothing is
            // kept.
            let mut words = vec![0; self.session.fed(0)];
            let at = self.session.feed_place(0, 0);
            words[at..at + fed.len()].copy_from_slice(&fed);
            self.session.run(0, words.repeat(self.models))?;
            let staged = (self.session.stage(0)?, count);
            if let Some((staged, count)) = before.replace(staged) {
                take(staged, count)?;
            }
        }
        if let Some((staged, count)) = before {
            take(staged, count)?;
        }
        let layer = |(layer, values): (&Layer, Vec<f32>)| LayerActivation {
            name: layer.name.clone(),
            values: Tensor::from_data(
                TensorData::new(values, [n * layer.rows, layer.width]),
                &Device::flex(),
            ),
        };
        Ok((values.into_iter())
            .map(|values| self.layers.iter().zip(values).map(layer).collect())
            .collect())
    }

    /// Times a batch.
    pub fn profile(&self) -> Result<Profile, ExtractError> {
        Ok(self.session.profile(0)?)
    }
}

/// What is kept of a batch, each with the name of its values.
fn pass(
    network: Network,
    samples: &Supply,
    batch: usize,
    keep: &Keep<'_>,
    tape: &Tape,
) -> Result<Vec<(Layer, Name)>, ExtractError> {
    struct Leaves<'a>(&'a Tape, usize);
    impl ModuleVisitor for Leaves<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let name = self.0.name(&param.val());
            self.0.assign(name, Leaf::State(self.1));
            self.1 += 1;
        }
    }
    let network = network.to_device(tape.device());
    network.visit(&mut Leaves(tape, 0));
    let kept = keep(&network, samples.taped(tape, batch, 0))?;
    let layer = |(name, values): (String, Tensor<2>)| {
        let [rows, width] = values.dims();
        let rows = rows / batch;
        (Layer { name, rows, width }, tape.name(&values))
    };
    Ok(kept.into_iter().map(layer).collect())
}

/// A model's arrays, in the order in which a visitor meets them.
#[derive(Default)]
struct Arrays {
    shapes: Vec<Vec<usize>>,
    values: Vec<Vec<f32>>,
}

impl Arrays {
    fn of(network: &Network) -> Self {
        let mut arrays = Self::default();
        network.visit(&mut arrays);
        arrays
    }
}

impl ModuleVisitor for Arrays {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        self.shapes.push(tensor.dims().to_vec());
        self.values.push(tensor.into_data().iter::<f32>().collect());
    }
}

/// Zeros instead of each array, in the host's memory.
struct Blank;

impl ModuleMapper for Blank {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|old| Tensor::zeros(old.dims(), &Device::flex()))
    }
}

//! A model's pass recorded: what it computes, and what each step feeds it.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use reprsim_base::Stream;
use reprsim_graph::{
    Binary, Computation, Graph, Leaf, Name, Precision, Tape, Target, gradients, record,
};
use reprsim_kernels::Dropout;
use reprsim_models::{Network, Pass, SampleShape, holding_norms};

use crate::augment::change;
use crate::config;
use crate::error::TrainError;
use crate::freezing::{Freezing, Treatment};
use crate::job::Job;
use crate::supply::{Drawn, Supply};
use crate::task::Reduction;

/// What an array of a model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A parameter, by number.
    Parameter(usize),
    /// A running statistic, by number.
    State(usize),
}

/// Feeds of a step, by what they hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Feeds {
    /// Words of each.
    pub sizes: Vec<usize>,
    /// Places of resident samples, or the samples themselves.
    pub places: Option<usize>,
    /// Labels.
    pub labels: Option<usize>,
    /// What images draw for each of their changes, two columns a change.
    pub changes: Vec<[usize; 2]>,
    /// Windows of tokens.
    pub tokens: Option<usize>,
    /// Normal deviates, in the order in which they are drawn.
    pub noise: Vec<(usize, [usize; 2])>,
    /// The seed of dropout.
    pub seed: Option<usize>,
    /// The rates of the optimiser.
    pub rates: Option<usize>,
}

impl Feeds {
    fn add(&mut self, words: usize) -> usize {
        self.sizes.push(words);
        self.sizes.len() - 1
    }
}

/// A recorded pass.
pub(super) struct Recording {
    pub computation: Computation,
    pub feeds: Feeds,
    /// Shapes of the model's arrays, in the order in which a visitor meets them.
    pub shapes: Vec<Vec<usize>>,
    /// What they are.
    pub kinds: Vec<Kind>,
    /// What training does with each parameter.
    pub treatments: Vec<Treatment>,
    /// Names of the metrics, which follow the loss in the sums.
    pub metrics: Vec<&'static str>,
    /// Constants of this recording and those before.
    pub constants: Vec<Vec<f32>>,
    /// The states of a scaled loss.
    pub scaling: Option<[usize; 2]>,
}

/// What a pass is recorded for.
pub(super) enum Purpose<'a> {
    /// A step of training.
    Train,
    /// The loss on held-out samples, whose sum is this state; arrays are of these kinds.
    Evaluate { sum: usize, kinds: &'a [Kind] },
}

/// What a graph calls a precision.
fn rounding(precision: config::Precision) -> Precision {
    match precision {
        config::Precision::F32 => Precision::F32,
        config::Precision::Bf16 => Precision::Bf16,
        config::Precision::F16 => Precision::F16,
    }
}

/// Records a pass over `size` samples of `supply`.
pub(super) fn recorded(
    job: &Job<'_>,
    supply: &Supply,
    size: usize,
    purpose: &Purpose<'_>,
    constants: Vec<Vec<f32>>,
) -> Result<Recording, TrainError> {
    let training = matches!(purpose, Purpose::Train);
    // The weights are read from the session.
    let network = job.blank(&Device::flex())?;
    let mut feeds = Feeds::default();
    let run = |tape: &Tape| pass(job, supply, size, purpose, network, &mut feeds, tape);
    let (made, recorded) = record(training, constants, run)?;
    let node = |name| recorded.node(name);
    let (loss, metrics) = (node(made.loss)?, made.metrics.clone());
    let metric_nodes: Vec<usize> = metrics
        .iter()
        .map(|(_, n)| node(*n))
        .collect::<Result<_, _>>()?;
    let after: Vec<Option<usize>> = made.after.iter().map(|n| recorded.node(*n).ok()).collect();
    let before: Vec<Option<usize>> = made.before.iter().map(|n| recorded.node(*n).ok()).collect();
    let mut graph = recorded.graph;
    let mut outputs = vec![];
    let mut sums = match purpose {
        Purpose::Train => made
            .kinds
            .iter()
            .filter(|k| matches!(k, Kind::State(_)))
            .count(),
        Purpose::Evaluate { sum, .. } => *sum,
    };
    // Behind the sums of a step, and the one of an evaluation.
    let is_scaled = training && job.config.precision == config::Precision::F16;
    let first = sums + 1 + metrics.len() + 1;
    let scaling = is_scaled.then_some([first, first + 1]);
    let mut sum = |graph: &mut Graph, value: usize| {
        let value = graph.reshape(value, &[1]);
        let old = graph.leaf(Leaf::State(sums), &[1]);
        let new = graph.binary(Binary::Add, old, value);
        outputs.push((new, Target::State(sums)));
        sums += 1;
    };
    let whole = match made.reduction {
        Reduction::Mean => {
            let shape = graph.shape(loss).to_vec();
            let count = graph.scalar(size as f32, &shape);
            graph.binary(Binary::Mul, loss, count)
        }
        Reduction::Sum => loss,
    };
    sum(&mut graph, whole);
    if training {
        metric_nodes
            .into_iter()
            .for_each(|metric| sum(&mut graph, metric));
        let trained = (made.kinds.iter().zip(&before)).filter_map(|(kind, node)| match kind {
            Kind::Parameter(i) if made.treatments[*i].trains => Some((*i, (*node)?)),
            _ => None,
        });
        let (numbers, parameters): (Vec<usize>, Vec<usize>) = trained.unzip();
        let scaled = match scaling {
            Some([scale, _]) => {
                let scale = graph.leaf(Leaf::State(scale), &[1]);
                let shape = graph.shape(loss).to_vec();
                let scale = graph.reshape(scale, &shape);
                graph.binary(Binary::Mul, loss, scale)
            }
            None => loss,
        };
        let found = gradients(&mut graph, scaled, &parameters);
        for ((number, parameter), gradient) in numbers.into_iter().zip(parameters).zip(found) {
            let shape = graph.shape(parameter).to_vec();
            let gradient = gradient.unwrap_or_else(|| graph.scalar(0.0, &shape));
            outputs.push((gradient, Target::Gradient(number)));
        }
        for ((kind, node), before) in made.kinds.iter().zip(after).zip(before) {
            // A statistic that is held is what it was.
            if let (Kind::State(i), Some(node)) = (kind, node)
                && Some(node) != before
            {
                outputs.push((node, Target::State(*i)));
            }
        }
        feeds.rates = Some(feeds.add(3));
    }
    Ok(Recording {
        computation: Computation {
            graph,
            outputs,
            feeds: feeds.sizes.clone(),
            samples: supply.taped_samples(),
            precision: match purpose {
                Purpose::Train => rounding(job.config.precision),
                // What a model is worth does not depend on how it was trained.
                Purpose::Evaluate { .. } => Precision::F32,
            },
        },
        feeds,
        shapes: made.shapes,
        kinds: made.kinds,
        treatments: made.treatments,
        metrics: metrics.into_iter().map(|(name, _)| name).collect(),
        constants: recorded.constants,
        scaling,
    })
}

/// What a pass made, by name.
struct Made {
    loss: Name,
    reduction: Reduction,
    metrics: Vec<(&'static str, Name)>,
    before: Vec<Name>,
    after: Vec<Name>,
    shapes: Vec<Vec<usize>>,
    kinds: Vec<Kind>,
    treatments: Vec<Treatment>,
}

fn pass(
    job: &Job<'_>,
    supply: &Supply,
    size: usize,
    purpose: &Purpose<'_>,
    network: Network,
    feeds: &mut Feeds,
    tape: &Tape,
) -> Result<Made, TrainError> {
    let device = tape.device();
    let network = network.to_device(device);
    let freezing = Freezing::of(&network, job.config, job.model)?;
    let (before, shapes) = arrays(&network, tape);
    let drawn = match supply.shape() {
        SampleShape::Image { .. } => {
            let (places, labels) = (feeds.add(supply.taped_words(size)), feeds.add(size));
            (feeds.places, feeds.labels) = (Some(places), Some(labels));
            let mut images = supply.taped_images(tape, size, places);
            if let Purpose::Train = purpose {
                for step in &job.config.augment {
                    let columns = [0, 1].map(|_| feeds.add(size));
                    feeds.changes.push(columns);
                    let drawn = columns.map(|feed| tape.float([size], Leaf::Feed(feed)));
                    images = change(images, step, &job.config.fill, drawn);
                }
            }
            Drawn::Images(
                supply.taped_preprocessed(tape, images),
                tape.int([size], Leaf::Feed(labels)),
            )
        }
        SampleShape::Tokens { window, .. } => {
            let tokens = feeds.add(size * (window + 1));
            feeds.tokens = Some(tokens);
            Drawn::Windows(tape.int([size, window + 1], Leaf::Feed(tokens)))
        }
    };
    let batch = job.task.batch(drawn, &mut Stream::new(0).rng())?;
    let output = match purpose {
        Purpose::Train => {
            let dropout = match job.config.dropout {
                0.0 => Dropout::none(),
                rate => {
                    let seed = feeds.add(1);
                    feeds.seed = Some(seed);
                    Dropout::recorded(rate, tape.float([1], Leaf::Feed(seed)))
                }
            };
            let mut noise = |shape: [usize; 2]| {
                let feed = feeds.add(shape[0] * shape[1]);
                feeds.noise.push((feed, shape));
                tape.float(shape, Leaf::Feed(feed))
            };
            let mut pass = Pass::recorded(dropout, &mut noise);
            holding_norms(&freezing.held, || network.output(batch.input, &mut pass))?
        }
        Purpose::Evaluate { .. } => network.output(batch.input, &mut Pass::inference())?,
    };
    let loss = job.task.loss(output, batch.target)?;
    let (after, _) = arrays(&network, tape);
    let kinds: Vec<Kind> = match purpose {
        Purpose::Evaluate { kinds, .. } => kinds.to_vec(),
        Purpose::Train => {
            let (mut parameters, mut states) = (0, 0);
            (freezing.arrays.iter())
                .map(|array| match array.is_state {
                    false => {
                        parameters += 1;
                        Kind::Parameter(parameters - 1)
                    }
                    true => {
                        states += 1;
                        Kind::State(states - 1)
                    }
                })
                .collect()
        }
    };
    for (name, kind) in before.iter().zip(&kinds) {
        let leaf = match *kind {
            Kind::Parameter(i) => Leaf::Parameter(i),
            Kind::State(i) => Leaf::State(i),
        };
        tape.assign(*name, leaf);
    }
    Ok(Made {
        loss: tape.name(&loss.value),
        reduction: loss.reduction,
        metrics: (loss.metrics.iter())
            .map(|(name, value)| (*name, tape.name(value)))
            .collect(),
        before,
        after,
        shapes,
        kinds,
        treatments: (freezing.arrays.into_iter())
            .filter(|array| !array.is_state)
            .collect(),
    })
}

/// Names and shapes of a model's arrays.
fn arrays(network: &Network, tape: &Tape) -> (Vec<Name>, Vec<Vec<usize>>) {
    struct Arrays<'a>(&'a Tape, Vec<Name>, Vec<Vec<usize>>);
    impl ModuleVisitor for Arrays<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let tensor = param.val();
            self.1.push(self.0.name(&tensor));
            self.2.push(tensor.dims().to_vec());
        }
    }
    let mut arrays = Arrays(tape, vec![], vec![]);
    network.visit(&mut arrays);
    (arrays.1, arrays.2)
}

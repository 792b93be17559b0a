//! The random streams of a training, by step: a training that goes on draws what it would
//! have drawn.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use reprsim_base::Stream;
use reprsim_kernels::Dropout;

/// The named streams of one model's training.
pub(crate) struct Streams {
    pub weights: Stream,
    pub order: Stream,
    augment: Stream,
    noise: Stream,
    dropout: Stream,
}

/// What one step draws from.
pub(crate) struct Draws {
    pub order: ChaCha8Rng,
    pub augment: ChaCha8Rng,
    pub noise: ChaCha8Rng,
    masks: ChaCha8Rng,
}

impl Streams {
    /// The children of a model's stream.
    pub fn of(model: &Stream) -> Self {
        Self {
            weights: model.child("weights"),
            order: model.child("order"),
            augment: model.child("augment"),
            noise: model.child("noise"),
            dropout: model.child("dropout"),
        }
    }

    /// The generators of step `step`, from 0.
    pub fn at(&self, step: usize) -> Draws {
        let step = step as u64;
        Draws {
            order: self.order.rng_at(step),
            augment: self.augment.rng_at(step),
            noise: self.noise.rng_at(step),
            masks: self.dropout.rng_at(step),
        }
    }
}

impl Draws {
    /// The dropout of the step's next batch.
    pub fn dropout(&mut self, rate: f64) -> Dropout {
        Dropout::new(rate, self.seed())
    }

    /// The seed of the masks of the step's next batch.
    pub fn seed(&mut self) -> u32 {
        self.masks.random()
    }
}

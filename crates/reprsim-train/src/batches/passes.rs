//! Passes over labelled images in a new order each, gathered, changed at random, resampled and
//! normalised on the device.

use std::ops::Range;

use burn::tensor::{Int, Tensor, TensorData};
use rand::seq::SliceRandom;
use reprsim_base::Stream;

use super::Draws;
use crate::augment::augment;
use crate::config::TrainingConfig;
use crate::supply::{Drawn, Supply};

/// The samples that a model passes over.
pub(crate) struct Passes<'a> {
    supply: &'a Supply,
    indices: &'a [u32],
    labels: &'a [u32],
    config: &'a TrainingConfig,
    /// Samples in a batch.
    batch: usize,
    /// Batches of a pass.
    batches: usize,
    stream: &'a Stream,
    order: Vec<usize>,
    /// The pass that `order` is of, from 1; 0 before the first.
    pass: usize,
    /// Indices and labels in that order, and both on the device.
    places: Vec<u32>,
    ordered_labels: Vec<u32>,
    on_device: Option<[Tensor<1, Int>; 2]>,
}

impl<'a> Passes<'a> {
    /// Passes over the samples at `indices` of `supply`, which have `labels`; orders come
    /// from `stream`.
    pub fn new(
        supply: &'a Supply,
        indices: &'a [u32],
        labels: &'a [u32],
        config: &'a TrainingConfig,
        stream: &'a Stream,
    ) -> Self {
        let n = indices.len();
        let batch = config.batch.min(n).max(1);
        Self {
            supply,
            indices,
            labels,
            config,
            batch,
            batches: match config.drop_last {
                true => n / batch,
                false => n.div_ceil(batch),
            },
            stream,
            order: (0..n).collect(),
            pass: 0,
            places: vec![],
            ordered_labels: vec![],
            on_device: None,
        }
    }

    /// Optimiser steps of a pass. A last step of fewer batches is left out where a last,
    /// shorter batch is, unless it is the only one.
    pub fn steps(&self) -> usize {
        let accumulate = self.config.accumulate.max(1);
        match self.config.drop_last {
            true if self.batches >= accumulate => self.batches / accumulate,
            _ => self.batches.div_ceil(accumulate),
        }
    }

    /// The places of step `step`'s samples in its pass, a range a batch.
    pub fn ranges(&self, step: usize) -> Vec<Range<usize>> {
        let accumulate = self.config.accumulate.max(1);
        let first = (step % self.steps().max(1)) * accumulate;
        (first..(first + accumulate).min(self.batches))
            .map(|b| b * self.batch..((b + 1) * self.batch).min(self.indices.len()))
            .collect()
    }

    /// The samples at `range` of the pass that step `step` is in.
    pub fn draw(&mut self, step: usize, range: Range<usize>, draws: &mut Draws) -> Drawn {
        let [places, labels] = self.order_of(step / self.steps().max(1) + 1);
        let places = places.slice([range.clone()]);
        let images = self.supply.gather(&self.places[range.clone()], places);
        let images = augment(
            images,
            &self.config.augment,
            &self.config.fill,
            &mut draws.augment,
        );
        Drawn::Images(self.supply.preprocess(images), labels.slice([range]))
    }

    /// Indices and labels of the samples at `range` of the pass that step `step` is in.
    #[cfg_attr(
        not(feature = "wgpu"),
        allow(dead_code, reason = "no GPU to replay steps")
    )]
    pub fn host(&mut self, step: usize, range: Range<usize>) -> [&[u32]; 2] {
        self.go_to(step / self.steps().max(1) + 1);
        [&self.places[range.clone()], &self.ordered_labels[range]]
    }

    /// Orders the samples for pass `pass`. Each order is shuffled from the one before, so that
    /// a training that goes on shuffles as often as it would have.
    fn go_to(&mut self, pass: usize) {
        if self.pass >= pass {
            return;
        }
        while self.pass < pass {
            self.pass += 1;
            let rng = &mut self.stream.rng_at(self.pass as u64);
            self.order.shuffle(rng);
        }
        let ordered = |values: &[u32]| self.order.iter().map(|&i| values[i]).collect::<Vec<_>>();
        let (places, labels) = (ordered(self.indices), ordered(self.labels));
        (self.places, self.ordered_labels, self.on_device) = (places, labels, None);
    }

    /// Indices and labels in the order of pass `pass`, on the device.
    fn order_of(&mut self, pass: usize) -> [Tensor<1, Int>; 2] {
        self.go_to(pass);
        if let Some(there) = &self.on_device {
            return there.clone();
        }
        let upload = |values: &[u32]| -> Tensor<1, Int> {
            let values: Vec<i32> = values.iter().map(|&v| v as i32).collect();
            let count = values.len();
            Tensor::from_data(TensorData::new(values, [count]), self.supply.device())
        };
        let both = [upload(&self.places), upload(&self.ordered_labels)];
        self.on_device = Some(both.clone());
        both
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use proptest::prelude::*;
    use reprsim_data::Part;
    use reprsim_data::color_shape_digit::{Settings, generate};

    use super::*;
    use crate::config::{OptimizerConfig, Precision, ScheduleConfig};
    use crate::preprocessing::Normalization;

    fn config(batch: usize, accumulate: usize, drop_last: bool) -> TrainingConfig {
        TrainingConfig {
            epochs: Some(1),
            steps: None,
            batch,
            drop_last,
            accumulate,
            clip: None,
            optimizer: OptimizerConfig::Adam {
                lr: 0.1,
                weight_decay: 0.0,
            },
            schedule: ScheduleConfig::Constant,
            dropout: 0.0,
            evaluate: None,
            precision: Precision::F32,
            augment: vec![],
            fill: vec![],
            freeze: vec![],
            rates: vec![],
            frozen_norms: false,
            recompute: false,
        }
    }

    fn supply(budget: u64) -> Supply {
        let images = generate(&Settings::default(), Part::Train, 8, 0).unwrap();
        let normalization = Normalization::of(&images);
        Supply::new(images, None, normalization, &Device::flex(), budget)
    }

    proptest! {
        /// A pass has each sample at most once, and all of them unless the last batch is
        /// left out.
        #[test]
        fn a_pass_has_each_sample_once(
            n in 1usize..50,
            batch in 1usize..20,
            accumulate in 1usize..5,
            drop_last in proptest::bool::ANY,
        ) {
            let supply = supply(0);
            let indices: Vec<u32> = (0..n as u32).collect();
            let stream = Stream::new(1);
            let config = config(batch, accumulate, drop_last);
            let passes = Passes::new(&supply, &indices, &indices, &config, &stream);
            let seen: Vec<usize> = (0..passes.steps()).flat_map(|s| passes.ranges(s)).flatten().collect();
            prop_assert!(seen.windows(2).all(|w| w[1] == w[0] + 1), "in order, none twice");
            prop_assert!(!seen.is_empty());
            prop_assert!(passes.ranges(0).len() <= accumulate);
            if !drop_last {
                prop_assert_eq!(seen.len(), n);
            } else if n >= batch * accumulate {
                prop_assert!(n - seen.len() < batch * accumulate);
            }
            prop_assert_eq!(passes.ranges(passes.steps()), passes.ranges(0));
        }
    }

    /// What is resident and what is sent batch by batch are the same images.
    #[test]
    fn resident_and_streamed_batches_are_equal() {
        let indices = [5, 2, 7, 1, 0];
        let labels = [0, 1, 2, 3, 4];
        let config = config(2, 1, false);
        let stream = Stream::new(3);
        let streams = super::super::Streams::of(&stream);
        let drawn = |budget: u64| -> Vec<Vec<f32>> {
            let supply = supply(budget);
            let mut passes = Passes::new(&supply, &indices, &labels, &config, &stream);
            let mut all = vec![];
            // Two passes, in different orders.
            for step in 0..6 {
                let mut draws = streams.at(step);
                for range in passes.ranges(step) {
                    let (images, labels) = passes.draw(step, range, &mut draws).images("").unwrap();
                    all.push(images.into_data().iter::<f32>().collect());
                    all.push(labels.into_data().iter::<f32>().collect());
                }
            }
            assert_eq!(supply.is_resident(), budget > 0);
            all
        };
        let streamed = drawn(0);
        assert_eq!(streamed, drawn(u64::MAX));
        assert_ne!(streamed[..6], streamed[6..], "a new order each pass");
    }
}

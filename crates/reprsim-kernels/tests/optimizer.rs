//! The optimisers' steps against burn's own, step after step.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, Optimizer, SgdConfig};
use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reprsim_kernels::{AdamStep, SgdStep};

/// More than one thread's share, and not a multiple of any vector.
const SHAPE: [usize; 2] = [331, 211];
const STEPS: usize = 4;
const LR: f64 = 0.05;

fn random(seed: u64) -> Tensor<2> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..SHAPE[0] * SHAPE[1])
        .map(|_| rng.random_range(-1.0..1.0))
        .collect();
    Tensor::from_data(TensorData::new(values, SHAPE), &Device::flex())
}

/// Gradients as a backward pass may leave them: every other one a transposed view.
fn gradient(step: usize) -> Tensor<2> {
    let gradient = random(100 + step as u64);
    match step % 2 {
        0 => gradient,
        _ => gradient.reshape([SHAPE[1], SHAPE[0]]).swap_dims(0, 1),
    }
}

fn assert_close(found: Tensor<2>, expected: Tensor<2>) {
    let apart = (found - expected).abs().max().into_scalar::<f32>();
    assert!(apart < 1e-6, "{apart}");
}

/// Parameters after some steps of burn's optimiser.
fn of_burn(optimizer: &impl Optimizer) -> Tensor<2> {
    let (mut parameter, mut state) = (random(1), None);
    for step in 0..STEPS {
        (parameter, state) = optimizer.step(LR, parameter, gradient(step), state);
    }
    parameter
}

#[test]
fn sgd() {
    for (momentum, weight_decay) in [(0.0, 0.0), (0.0, 0.1), (0.9, 0.0), (0.9, 0.1)] {
        let mut config = SgdConfig::new();
        if momentum > 0.0 {
            let momentum = MomentumConfig::new().with_momentum(momentum);
            config = config.with_momentum(Some(momentum.with_dampening(0.0)));
        }
        if weight_decay > 0.0 {
            config = config.with_weight_decay(Some(WeightDecayConfig::new(weight_decay)));
        }
        let step = SgdStep {
            lr: LR as f32,
            momentum: momentum as f32,
            weight_decay,
        };
        let (mut parameter, mut velocity) = (random(1), None);
        for i in 0..STEPS {
            // Others may still hold the tensors that a step takes.
            let (held, was) = (parameter.clone(), parameter.clone().into_data());
            (parameter, velocity) = step.apply(parameter, gradient(i), velocity);
            held.into_data().assert_eq(&was, true);
        }
        assert_close(parameter, of_burn(&config.build()));
    }
}

#[test]
fn adam_and_adamw() {
    for (decoupled, weight_decay) in [(false, 0.0), (false, 0.1), (true, 0.0), (true, 0.1)] {
        let (mut parameter, mut moments) = (random(1), None);
        for i in 0..STEPS {
            let step = AdamStep {
                lr: LR as f32,
                beta_1: 0.9,
                beta_2: 0.95,
                epsilon: 1e-8,
                weight_decay,
                decoupled,
                time: i + 1,
            };
            let (next, both) = step.apply(parameter, gradient(i), moments);
            (parameter, moments) = (next, Some(both));
        }
        let expected = if decoupled {
            let config = AdamWConfig::new().with_beta_2(0.95).with_epsilon(1e-8);
            of_burn(&config.with_weight_decay(weight_decay).build())
        } else {
            let mut config = AdamConfig::new().with_beta_2(0.95).with_epsilon(1e-8);
            if weight_decay > 0.0 {
                config = config.with_weight_decay(Some(WeightDecayConfig::new(weight_decay)));
            }
            of_burn(&config.build())
        };
        assert_close(parameter, expected);
    }
}

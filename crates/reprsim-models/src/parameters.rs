//! Counting parameters.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

use crate::Network;

impl Network {
    /// Numbers that training moves: parameters without running statistics.
    pub fn parameters(&self) -> usize {
        let mut counter = Counter::default();
        self.visit(&mut counter);
        counter.count
    }
}

#[derive(Default)]
struct Counter {
    names: Vec<String>,
    count: usize,
}

impl ModuleVisitor for Counter {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.names.push(name.to_string());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.names.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let statistic = |name: &String| name.starts_with("running_");
        if !self.names.last().is_some_and(statistic) {
            self.count += param.val().dims().iter().product::<usize>();
        }
    }
}

//! Modules that give parameters the names which PyTorch's containers give them. (Of a tuple or a list
//! burn calls them by their places, as `torch.nn.Sequential` does.)

use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
};
use burn::tensor::Device;

/// A place in a sequence at which there are no weights: an activation, dropout, another order of
/// dimensions.
#[derive(Module, Debug)]
pub(crate) struct Place;

/// Modules that are called by a word and their number, from 1 on.
#[derive(Clone, Debug)]
pub(crate) struct Numbered<T> {
    word: &'static str,
    modules: Vec<T>,
}

impl<T> Numbered<T> {
    /// Modules called `word` and their number.
    pub fn new(word: &'static str, modules: Vec<T>) -> Self {
        Self { word, modules }
    }

    /// All of them, the first first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.modules.iter()
    }

    fn name(&self, index: usize) -> String {
        format!("{}{}", self.word, index + 1)
    }

    fn each(self, change: impl FnMut(T) -> T) -> Self {
        Self {
            word: self.word,
            modules: self.modules.into_iter().map(change).collect(),
        }
    }
}

/// What burn says that a list is, so that adapters look past it at the module inside.
const KIND: &str = "Vec";

impl<T: Module> Module for Numbered<T> {
    fn collect_devices(&self, devices: Devices) -> Devices {
        (self.modules.iter()).fold(devices, |devices, module| module.collect_devices(devices))
    }

    fn fork(self, device: &Device) -> Self {
        self.each(|module| module.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.each(|module| module.to_device(device))
    }

    fn train(self) -> Self {
        self.each(Module::train)
    }

    fn valid(&self) -> Self {
        Self {
            word: self.word,
            modules: self.modules.iter().map(Module::valid).collect(),
        }
    }

    fn materialize(self) -> Self {
        self.each(Module::materialize)
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        for (index, module) in self.modules.iter().enumerate() {
            let name = self.name(index);
            visitor.enter_module(&name, KIND);
            module.visit(visitor);
            visitor.exit_module(&name, KIND);
        }
    }

    fn map<M: ModuleMapper>(mut self, mapper: &mut M) -> Self {
        let modules = std::mem::take(&mut self.modules);
        let mapped = modules.into_iter().enumerate().map(|(index, module)| {
            let name = self.name(index);
            mapper.enter_module(&name, KIND);
            let module = module.map(mapper);
            mapper.exit_module(&name, KIND);
            module
        });
        let modules = mapped.collect();
        Self { modules, ..self }
    }
}

impl<T: ModuleDisplay> ModuleDisplayDefault for Numbered<T> {
    fn content(&self, content: Content) -> Option<Content> {
        let modules = self.modules.iter().enumerate();
        modules
            .fold(content, |content, (index, module)| {
                content.add(&self.name(index), module)
            })
            .optional()
    }
}

impl<T: ModuleDisplay> ModuleDisplay for Numbered<T> {}

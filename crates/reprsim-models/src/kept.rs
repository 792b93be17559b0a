//! What a training step keeps of a sample between its passes.

/// Values of one sample that a training step keeps for its gradients: at least so many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Whatever is done: of layers that are in no part, and what each part is made of.
    always: u128,
    /// What each part keeps inside, which may be computed again instead.
    parts: Vec<u128>,
}

impl Kept {
    /// Of a model that has no parts.
    pub fn always(values: u128) -> Self {
        Self {
            always: values,
            parts: Vec::new(),
        }
    }

    /// So many values more, whatever is done.
    pub fn add(&mut self, values: u128) {
        self.always += values;
    }

    /// A part more: what it keeps inside, and what leaves it.
    pub fn add_part(&mut self, inside: u128, output: u128) {
        self.parts.push(inside);
        self.always += output;
    }

    /// Whether there are parts that can be computed again.
    pub fn has_parts(&self) -> bool {
        !self.parts.is_empty()
    }

    /// Values, where parts are computed again or kept.
    pub fn values(&self, recompute: bool) -> u128 {
        let inside = match recompute {
            true => self.parts.iter().copied().max().unwrap_or(0),
            false => self.parts.iter().sum(),
        };
        self.always + inside
    }
}

//! Named random streams derived from one root seed.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::Digest;
use crate::digest::hex;

/// A node in the tree of random streams of an experiment.
///
/// Every use of randomness has a name; its generator depends on the root seed
/// and the names on its path alone, so adding a stream never shifts another.
///
/// ```
/// use reprsim_base::Stream;
/// let root = Stream::new(7);
/// assert_eq!(root.child("split").id(), Stream::new(7).child("split").id());
/// assert_ne!(root.child("split").id(), root.child("probe").id());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    key: [u8; 32],
}

impl Stream {
    /// The root of the tree for one root seed.
    pub fn new(root_seed: u64) -> Self {
        let mut hash = Digest::new();
        hash.update(b"reprsim stream root");
        hash.update(root_seed.to_le_bytes());
        Self { key: hash.bytes() }
    }

    /// The stream called `name` below this one.
    #[must_use]
    pub fn child(&self, name: impl AsRef<str>) -> Self {
        let mut hash = Digest::new();
        hash.update(self.key);
        hash.update(name.as_ref().as_bytes());
        Self { key: hash.bytes() }
    }

    /// A generator at the start of this stream.
    pub fn rng(&self) -> ChaCha8Rng {
        ChaCha8Rng::from_seed(self.key)
    }

    /// A generator for item `index` of this stream, independent of all others.
    pub fn rng_at(&self, index: u64) -> ChaCha8Rng {
        let mut rng = self.rng();
        rng.set_stream(index);
        rng
    }

    /// A short hexadecimal name of the stream, for records.
    pub fn id(&self) -> String {
        hex(&self.key[..8])
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    /// Every split, initial weight and probe hangs on these: computed by other programs
    /// (SHA-256 and ChaCha8 of Python) from the definition, they must never change.
    #[test]
    fn streams_are_what_they_have_always_been() {
        assert_eq!(Stream::new(0).id(), "0cd052e6346c67cf");
        let split = Stream::new(7).child("cell").child("split");
        assert_eq!(split.id(), "c461877cf5c15424");
        let mut rng = split.rng();
        assert_eq!(
            [rng.next_u64(), rng.next_u64()],
            [0xa83de7bc852da642, 0xe339a83e96ee72d]
        );
        assert_eq!(split.rng_at(3).next_u64(), 0xb360c5224027f51d);
    }
}

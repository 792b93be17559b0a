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
        Self {
            key: hash.bytes(),
        }
    }

    /// The stream called `name` below this one.
    #[must_use]
    pub fn child(&self, name: impl AsRef<str>) -> Self {
        let mut hash = Digest::new();
        hash.update(self.key);
        hash.update(name.as_ref().as_bytes());
        Self {
            key: hash.bytes(),
        }
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

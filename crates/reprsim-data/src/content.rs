//! What samples hold, whatever they are called: digests of them, what names a part as a whole,
//! and which samples are copies of others.

use std::collections::HashMap;

use reprsim_base::Digest;

use crate::{Dataset, SampleDigest, SampleShape};

/// Characters of what names the content of a part.
const SHOWN: usize = 8;

impl Dataset {
    /// The digest of each sample, in their order.
    pub fn digests(&self) -> Vec<SampleDigest> {
        self.samples.digests()
    }

    /// Names what the part holds on any machine: the shape, the samples in their order, and all
    /// their labels. 16 hexadecimal characters.
    pub fn content(&self) -> String {
        let mut digest = Digest::new();
        let shape = match self.shape {
            SampleShape::Image {
                channels,
                height,
                width,
            } => format!("{channels}x{height}x{width}\n"),
            SampleShape::Tokens { window, vocabulary } => format!("{window} of {vocabulary}\n"),
        };
        digest.update(shape);
        for factor in &self.factors {
            digest.update(format!("{:?} {:?}\n", factor.name, factor.classes));
            (factor.values.iter()).for_each(|value| digest.update(value.to_le_bytes()));
        }
        for sample in self.digests() {
            digest.update(sample.to_be_bytes());
        }
        digest.short(SHOWN)
    }
}

/// For each sample the first one that holds the same, which may be itself.
pub fn first_of_each(digests: &[SampleDigest]) -> Vec<u32> {
    let mut first: HashMap<SampleDigest, u32> = HashMap::with_capacity(digests.len());
    let place = |(index, digest): (u32, &SampleDigest)| *first.entry(*digest).or_insert(index);
    (0..).zip(digests).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Factor, Part, Samples};

    fn set(bytes: Vec<u8>, labels: Vec<u16>) -> Dataset {
        Dataset {
            name: "x".into(),
            identity: "x".into(),
            part: Part::Train,
            shape: SampleShape::Image {
                channels: 1,
                height: 1,
                width: 2,
            },
            samples: Samples::images(bytes, 2),
            factors: vec![Factor {
                name: "class".into(),
                classes: vec!["a".into(), "b".into()],
                values: labels,
            }],
            label: vec!["class".into()],
            blocks: vec![],
            skipped: vec![],
        }
    }

    #[test]
    fn copies_are_found_by_what_they_hold() {
        let set = set(vec![1, 2, 3, 4, 1, 2, 2, 1, 3, 4], vec![0, 0, 1, 1, 0]);
        assert_eq!(first_of_each(&set.digests()), [0, 1, 0, 3, 1]);
        let selected = set.select(&[4, 2, 0, 1]);
        assert_eq!(first_of_each(&selected.digests()), [0, 1, 1, 0]);
        // The beginning of the SHA-256 of the two bytes (sha256sum).
        let expected = u128::from_str_radix("a12871fee210fb8619291eaea194581c", 16).unwrap();
        assert_eq!(set.digests()[0], expected);
    }

    #[test]
    fn the_content_is_of_samples_labels_and_shape() {
        let content = |bytes: &[u8], labels: &[u16]| set(bytes.into(), labels.into()).content();
        let first = content(&[1, 2, 3, 4], &[0, 1]);
        assert_eq!(first.len(), 16);
        assert_eq!(first, content(&[1, 2, 3, 4], &[0, 1]));
        assert_ne!(first, content(&[1, 2, 3, 5], &[0, 1]));
        assert_ne!(first, content(&[1, 2, 3, 4], &[1, 0]));
        assert_ne!(first, content(&[3, 4, 1, 2], &[0, 1]));
        let mut turned = set(vec![1, 2, 3, 4], vec![0, 1]);
        turned.shape = SampleShape::Image {
            channels: 1,
            height: 2,
            width: 1,
        };
        assert_ne!(first, turned.content());
    }
}

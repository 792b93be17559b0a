//! Which documents of a corpus are held out.

use rand::seq::SliceRandom;

use crate::Part;
use reprsim_base::Stream;

/// Held-out parts and their shares of the bytes of a corpus in percent.
const HELD_OUT: [(Part, u64); 2] = [(Part::Validation, 5), (Part::Test, 10)];

/// The part of each document of a corpus, given their sizes in bytes: the same for
/// every experiment, so that what one model was tested on no other was trained on.
/// Every part has a document; `None` where there are too few for that.
pub(crate) fn divide(bytes: &[u64], content: &str) -> Option<Vec<Part>> {
    if bytes.len() <= HELD_OUT.len() {
        return None;
    }
    let total: u64 = bytes.iter().sum();
    let mut left: Vec<usize> = (0..bytes.len()).collect();
    let stream = Stream::new(0).child("documents").child(content);
    left.shuffle(&mut stream.rng());
    let mut parts = vec![Part::Train; bytes.len()];
    for (place, (part, share)) in HELD_OUT.into_iter().enumerate() {
        let wanted = (total * share / 100).max(1);
        // One document each for the parts that come after this.
        let keep = HELD_OUT.len() - place;
        let mut taken = 0;
        while taken < wanted && left.len() > keep {
            let Some(document) = left.pop() else { break };
            parts[document] = part;
            taken += bytes[document];
        }
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn shares_are_as_they_should_be(
            bytes in prop::collection::vec(1u64..8193, 3..300),
            content in "[0-9a-f]{8}",
        ) {
            let parts = divide(&bytes, &content).unwrap();
            prop_assert_eq!(&parts, &divide(&bytes, &content).unwrap());
            let total: u64 = bytes.iter().sum();
            let largest = *bytes.iter().max().unwrap();
            for (part, share) in HELD_OUT {
                let held: u64 = (bytes.iter().zip(&parts))
                    .filter(|(_, p)| **p == part)
                    .map(|(b, _)| b)
                    .sum();
                prop_assert!(held > 0);
                prop_assert!(held < (total * share / 100).max(1) + largest);
                // Where documents are plenty, the share is reached.
                if total > 100 * largest {
                    prop_assert!(held >= total * share / 100);
                }
            }
            prop_assert!(parts.contains(&Part::Train));
        }
    }

    #[test]
    fn the_content_decides() {
        let bytes = vec![10; 200];
        assert_ne!(divide(&bytes, "a"), divide(&bytes, "b"));
        assert_eq!(divide(&[5, 5], "a"), None);
        let three = divide(&[1, 1, 1], "a").unwrap();
        for part in [Part::Train, Part::Validation, Part::Test] {
            assert!(three.contains(&part));
        }
    }
}

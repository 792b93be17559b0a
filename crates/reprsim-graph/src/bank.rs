//! Where a value lies in a model's memory. A device binds no array of more than some 2 GiB, so a
//! model that takes more has its values in several arrays, its banks.

/// Banks that a model can have.
pub(crate) const BANKS: usize = 4;

/// Values from the beginning of one bank to that of the next, in the way places are counted: more
/// than a bank can have.
const STEP: usize = 1 << 30;

/// The bank of a place, and where it lies in it.
pub(crate) fn bank(place: usize) -> (usize, usize) {
    (place / STEP, place % STEP)
}

/// Where `length` values find room from `place` on, in banks of `size` values.
pub(crate) fn fitting(place: usize, length: usize, size: usize) -> usize {
    let (number, at) = bank(place);
    match at > 0 && at + length > size {
        true => (number + 1) * STEP,
        false => place,
    }
}

/// The value at `index` from a place on, as WGSL: where banks of a model begin is what the feed
/// says first.
pub(crate) fn cell(place: usize, index: &dyn std::fmt::Display) -> String {
    match bank(place) {
        (0, at) => format!("arena[base + {at}u + {index}]"),
        (number, at) => format!("arena{number}[feed[fed + {number}u] + {at}u + {index}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_begins_a_bank() {
        assert_eq!(fitting(90, 10, 100), 90);
        assert_eq!(fitting(91, 10, 100), STEP);
        assert_eq!(fitting(STEP + 91, 10, 100), 2 * STEP);
        assert_eq!(bank(2 * STEP + 7), (2, 7));
        assert_eq!(cell(3, &"i"), "arena[base + 3u + i]");
        assert_eq!(cell(STEP + 3, &"i"), "arena1[feed[fed + 1u] + 3u + i]");
        // Nothing is larger than a bank that is empty: the device says no.
        assert_eq!(fitting(0, 200, 100), 0);
    }
}

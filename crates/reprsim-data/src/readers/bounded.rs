//! A bound on what comes out of packed bytes: a few of them can unpack to any number.

use std::cell::Cell;
use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::rc::Rc;

use reprsim_base::{OverBudget, ask_memory};

/// Asks for `bytes` that are to be read into a vector for `what`. It grows with what is there, not
/// with what a file says that there is, so that for a moment it is there twice.
pub(crate) fn ask_to_hold(bytes: u64, what: impl fmt::Display) -> Result<(), OverBudget> {
    ask_memory(2 * u128::from(bytes), what)
}

/// Fails once more comes than may, instead of ending as if that were all.
pub(crate) struct Bounded<R> {
    inner: R,
    left: Rc<Cell<u64>>,
    /// What is said then.
    message: String,
}

impl<R: Read> Bounded<R> {
    /// At most `most` bytes of `inner`.
    pub fn new(inner: R, most: u64, message: impl Into<String>) -> Self {
        Self::shared(inner, Rc::new(Cell::new(most)), message)
    }

    /// As many bytes of `inner` as are `left`, which others may change on the way.
    pub fn shared(inner: R, left: Rc<Cell<u64>>, message: impl Into<String>) -> Self {
        Self {
            inner,
            left,
            message: message.into(),
        }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        match self.left.get().checked_sub(n as u64) {
            Some(left) => {
                self.left.set(left);
                Ok(n)
            }
            None => Err(io::Error::new(
                ErrorKind::FileTooLarge,
                self.message.clone(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_as_may_comes_and_no_more() {
        let read = |most| {
            let mut found = Vec::new();
            let ended = Bounded::new(&[7u8; 100][..], most, "too much").read_to_end(&mut found);
            (ended.map_err(|e| e.to_string()), found.len() as u64 <= most)
        };
        assert_eq!(read(100), (Ok(100), true));
        assert_eq!(read(99), (Err("too much".to_string()), true));
    }
}

//! What is made when it is first asked for, and may fail.

use std::sync::{Mutex, OnceLock, PoisonError};

/// A value that is made once, by whoever needs it first; the others wait.
#[derive(Debug)]
pub(crate) struct Once<T> {
    value: OnceLock<T>,
    making: Mutex<()>,
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self {
            value: OnceLock::new(),
            making: Mutex::new(()),
        }
    }
}

impl<T> Once<T> {
    /// The value, made by `make` if it is not there; a failure is that of this call alone.
    pub fn get<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        if let Some(value) = self.value.get() {
            return Ok(value);
        }
        let _one = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = self.value.get() {
            return Ok(value);
        }
        let made = make()?;
        Ok(self.value.get_or_init(|| made))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_made_once_and_a_failure_is_not_kept() {
        let once = Once::default();
        assert_eq!(once.get(|| Err::<u8, _>("no")), Err("no"));
        assert_eq!(once.get(|| Ok::<_, &str>(1)), Ok(&1));
        assert_eq!(once.get(|| Ok::<_, &str>(2)), Ok(&1));
    }
}

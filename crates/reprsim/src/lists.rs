//! Lists that a user gives, in which a name that is there twice would count twice.

use reprsim_base::twice;

use crate::exit::UsageError;

/// Refuses a name that is there twice.
///
/// # Errors
/// With `of`, the option or what the names are of, and the name.
pub(crate) fn named_once<S: AsRef<str>>(of: &str, names: &[S]) -> Result<(), UsageError> {
    match twice(names.iter().map(AsRef::as_ref)) {
        Some(name) => Err(UsageError(format!(
            "{of}: '{name}' is named twice, and would count twice"
        ))),
        None => Ok(()),
    }
}

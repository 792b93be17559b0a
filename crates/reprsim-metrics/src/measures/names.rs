//! Measures by their names.

use super::REGISTRY;
use super::registry_names::measure_called;
use crate::error::UnknownMeasure;
use crate::measure::{Measure, Mode};

/// The measures of a mode.
pub fn of_mode(mode: Mode) -> impl Iterator<Item = &'static dyn Measure> {
    REGISTRY
        .into_iter()
        .filter(move |m| m.properties().mode == mode)
}

/// The measure that `name` means in `mode`: its name, the published name of the same idea, or one
/// that it has in the public registry of similarity measures ([`crate::aliases`]).
///
/// # Errors
/// [`UnknownMeasure`] if no measure of the mode is called so.
pub fn by_name(name: &str, mode: Mode) -> Result<&'static dyn Measure, UnknownMeasure> {
    of_mode(mode)
        .find(|m| m.properties().name == name)
        .or_else(|| of_mode(mode).find(|m| m.properties().alias == Some(name)))
        .or_else(|| {
            let called = measure_called(name)?;
            of_mode(mode).find(|m| m.properties().name == called)
        })
        .ok_or_else(|| {
            let names = of_mode(mode).map(|m| m.properties().name);
            let aliases = of_mode(mode).filter_map(|m| m.properties().alias);
            UnknownMeasure {
                name: name.to_string(),
                known: names.chain(aliases).collect(),
            }
        })
}

/// The measure called `name`, of either mode: a name is never used twice.
///
/// # Errors
/// [`UnknownMeasure`] if none is called so.
pub fn named(name: &str) -> Result<&'static dyn Measure, UnknownMeasure> {
    let find = |m: &&dyn Measure| m.properties().name == name;
    REGISTRY
        .into_iter()
        .find(find)
        .ok_or_else(|| UnknownMeasure {
            name: name.to_string(),
            known: REGISTRY.map(|m| m.properties().name).to_vec(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_told_with_the_nearest() {
        let told = |error: Option<UnknownMeasure>| error.map(|e| e.to_string()).unwrap_or_default();
        let message = told(named("cka_linear_debiasd").err());
        assert!(
            message.contains("'cka_linear_debiasd'")
                && message.contains("did you mean 'cka_linear_debiased'"),
            "{message}"
        );
        let message = told(by_name("ckaa", Mode::Exact).err());
        assert!(message.contains("did you mean 'cka'"), "{message}");
        assert!(by_name("cka_linear_biased", Mode::Paper).is_err());
        for measure in REGISTRY {
            let name = measure.properties().name;
            assert!(named(name).is_ok_and(|m| m.properties().name == name));
        }
    }
}

//! `reprsim data fetch`.

use std::path::Path;
use std::process::ExitCode;

use reprsim_data::color_shape_digit;
use reprsim_data::{FATHER_BROWN, fetch as bring, find_card};

use crate::commands::fetching::{fetch_all, shown};
use crate::commands::say;

/// Brings data sets here.
pub(super) fn fetch(names: &[String], cache: &Path) -> anyhow::Result<ExitCode> {
    fetch_all(names, |name, stop| {
        if [color_shape_digit::NAME, FATHER_BROWN].contains(&name) {
            say(&format!("{name} is built in: there is nothing to fetch"))?;
            return Ok(());
        }
        let card = find_card(name)?;
        shown(name, |event| bring(card, cache, stop, event))?;
        say(&format!("{name} is in {}", cache.join(name).display()))?;
        Ok(())
    })
}

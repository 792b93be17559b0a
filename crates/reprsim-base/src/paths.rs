//! Where things are kept.

use std::path::PathBuf;

use etcetera::BaseStrategy;

/// Where data sets are kept: `$REPRSIM_DATA`, else `reprsim` in the user's cache folder
/// (`$XDG_CACHE_HOME`, `~/.cache`).
pub fn default_cache() -> PathBuf {
    if let Some(dir) = std::env::var_os("REPRSIM_DATA") {
        return PathBuf::from(dir);
    }
    etcetera::choose_base_strategy()
        .map_or_else(|_| std::env::temp_dir(), |user| user.cache_dir())
        .join("reprsim")
}

//! Where things are kept.

use std::ffi::OsString;
use std::path::PathBuf;

use etcetera::BaseStrategy;

/// Where data sets are kept: `$REPRSIM_DATA`, else `reprsim` in the user's cache folder
/// (`$XDG_CACHE_HOME`, `~/.cache`).
pub fn default_cache() -> PathBuf {
    let user = etcetera::choose_base_strategy().map(|user| user.cache_dir());
    cache(std::env::var_os("REPRSIM_DATA"), user.ok())
}

/// The folder `given`, unless that is empty, else one in the cache folder of the `user`;
/// who has none (nor a home) keeps data where temporary files are.
fn cache(given: Option<OsString>, user: Option<PathBuf>) -> PathBuf {
    match given.filter(|given| !given.is_empty()) {
        Some(given) => given.into(),
        None => user.unwrap_or_else(std::env::temp_dir).join("reprsim"),
    }
}

/// Where programs keep models that they had of a hub: `$HF_HUB_CACHE`, else `hub` in `$HF_HOME`,
/// else `huggingface/hub` in the user's cache folder.
pub fn default_hub() -> PathBuf {
    let user = etcetera::choose_base_strategy().map(|user| user.cache_dir());
    hub(["HF_HUB_CACHE", "HF_HOME"].map(std::env::var_os), user.ok())
}

fn hub([cache, home]: [Option<OsString>; 2], user: Option<PathBuf>) -> PathBuf {
    let given = |place: Option<OsString>| place.filter(|given| !given.is_empty());
    match (given(cache), given(home)) {
        (Some(cache), _) => cache.into(),
        (None, Some(home)) => PathBuf::from(home).join("hub"),
        (None, None) => {
            let user = user.unwrap_or_else(std::env::temp_dir);
            user.join("huggingface").join("hub")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_is_given_comes_first() {
        let user = || Some(PathBuf::from("/home/user/.cache"));
        let given = |place: &str| Some(OsString::from(place));
        assert_eq!(cache(given("/data"), user()), PathBuf::from("/data"));
        let of_user = PathBuf::from("/home/user/.cache/reprsim");
        assert_eq!(cache(None, user()), of_user);
        assert_eq!(cache(given(""), user()), of_user, "empty is as if not set");
        assert_eq!(cache(None, None), std::env::temp_dir().join("reprsim"));
    }

    #[test]
    fn the_hub_is_where_its_own_programs_have_it() {
        let user = || Some(PathBuf::from("/home/user/.cache"));
        let given = |place: &str| Some(OsString::from(place));
        let of_user = PathBuf::from("/home/user/.cache/huggingface/hub");
        assert_eq!(hub([None, None], user()), of_user);
        assert_eq!(hub([given(""), given("")], user()), of_user);
        assert_eq!(hub([None, given("/hf")], user()), PathBuf::from("/hf/hub"));
        let cache = hub([given("/cache"), given("/hf")], user());
        assert_eq!(cache, PathBuf::from("/cache"));
    }

    /// In processes of their own: a test must not change the variables of the others.
    #[test]
    #[cfg(unix)]
    fn the_variables_are_honoured() {
        let cache_where = |variables: &[(&str, &str)]| {
            let output = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "paths::tests::says_the_cache", "--nocapture"])
                .env_remove("REPRSIM_DATA")
                .env_remove("XDG_CACHE_HOME")
                .envs(variables.iter().copied())
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let line = text.lines().find_map(|line| line.split_once("cache: "));
            PathBuf::from(line.unwrap().1)
        };
        let home = ("HOME", "/home/user");
        assert_eq!(
            cache_where(&[home]),
            PathBuf::from("/home/user/.cache/reprsim")
        );
        let xdg = ("XDG_CACHE_HOME", "/caches");
        assert_eq!(cache_where(&[home, xdg]), PathBuf::from("/caches/reprsim"));
        let given = ("REPRSIM_DATA", "/data");
        assert_eq!(cache_where(&[home, xdg, given]), PathBuf::from("/data"));
    }

    /// Run by the test above, which reads what it says.
    #[test]
    #[expect(clippy::print_stdout, reason = "the answer to the test that runs this")]
    fn says_the_cache() {
        println!("cache: {}", default_cache().display());
    }
}

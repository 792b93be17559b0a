//! Nothing: this crate only asks for features (.config/hakari.toml).

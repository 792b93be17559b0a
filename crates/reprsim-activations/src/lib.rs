//! Activation files.

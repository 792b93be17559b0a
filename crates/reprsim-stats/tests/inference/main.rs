//! Inference against other libraries, against the published tables and against
//! simulated tables whose truth is known.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod properties;
mod published;
mod reference;
mod simulation;
mod table;

use table::{Table, close, noise};

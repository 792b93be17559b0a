//! `reprsim data`, a file a command.

mod check;
mod clean;
mod dispatch;
mod fetch;
mod list;
mod named;
mod preview;

pub(crate) use dispatch::data;

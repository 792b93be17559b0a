//! Where the batches of a training come from: passes over labelled samples, or windows drawn
//! from text.

mod draws;
mod passes;
mod source;
mod windows;

pub(crate) use draws::{Draws, Streams};
pub(crate) use passes::Passes;
pub(crate) use source::Batches;
pub(crate) use windows::Windows;

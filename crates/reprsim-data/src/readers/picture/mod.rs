//! Pictures of a data set's files, as planes of bytes.

mod colour;
mod format;
mod marks;
mod planes;
mod read;

pub(super) use format::{READ, unread_by_name};
pub(super) use planes::planes;
#[cfg(test)]
pub(super) use read::encode;
pub(super) use read::{Head, PictureError, head, shown, square};

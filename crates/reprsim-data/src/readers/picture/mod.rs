//! Pictures of a data set's files, as planes of bytes.

mod colour;
mod error;
mod format;
mod marks;
mod planes;
mod read;
#[cfg(test)]
mod samples;

pub(super) use error::{PictureError, READ};
pub(super) use format::unread_by_name;
pub(super) use planes::planes;
pub(super) use read::{Head, head, shown, square};
#[cfg(test)]
pub(super) use samples::encode;

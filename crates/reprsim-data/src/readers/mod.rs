//! Readers of data sets, one a format, each of the files as they are handed out.

pub(crate) mod bounded;
pub(crate) mod cifar;
pub(crate) mod emoji;
pub(crate) mod folder;
mod idx;
mod layout;
pub(crate) mod listing;
mod mat;
pub(crate) mod mnist;
mod picture;
mod raw;
mod spelling;
pub(crate) mod svhn;
pub(crate) mod tarball;
pub(crate) mod tiny_imagenet;
pub(crate) mod zipped;

pub(crate) use raw::RawPart;

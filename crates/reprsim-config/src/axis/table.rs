//! What the table of axes becomes.

/// A line of the table is a file and its kinds.
macro_rules! causes {
    ($($file:ident: $($cause:ident),*;)*) => {
        $(mod $file;)*

        /// All kinds of axes.
        pub const CAUSES: &[&dyn Cause] = &[$($(&$file::$cause),*),*];
    };
}

pub(crate) use causes;

//! What the table of measures becomes.

/// A line of the table is a file and its measures.
macro_rules! measures {
    ($($file:ident: $($measure:ident),*;)*) => {
        $(mod $file;)*

        use crate::measure::Measure;

        /// How many there are.
        const COUNT: usize = [$($(stringify!($measure)),*),*].len();

        /// All measures.
        pub static REGISTRY: [&dyn Measure; COUNT] = [$($(&$file::$measure),*),*];
    };
}

pub(crate) use measures;

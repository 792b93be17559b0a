//! Without a build script cargo would not look at build dependencies.

fn main() {}

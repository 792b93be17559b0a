//! SHA-256 in hexadecimal, of bytes and of streams that need not be held in memory.

use std::fmt::Write as _;
use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};

/// A SHA-256 under way.
#[derive(Clone, Debug, Default)]
pub struct Digest(Sha256);

impl Digest {
    /// That of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in more bytes.
    pub fn update(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.update(bytes);
    }

    /// The digest, 32 bytes.
    pub fn bytes(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    /// The digest in lower-case hexadecimal, 64 characters.
    pub fn hex(self) -> String {
        self.short(32)
    }

    /// The first `bytes` bytes of the digest in hexadecimal, for names that people read.
    pub fn short(self, bytes: usize) -> String {
        hex(&self.bytes()[..bytes.min(32)])
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a string takes everything
        text
    })
}

/// SHA-256 of `bytes` in hexadecimal.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    let mut digest = Digest::new();
    digest.update(bytes);
    digest.hex()
}

/// Copies all of `from` to `to`; the number of bytes and the SHA-256 of what went through.
///
/// # Errors
/// Those of reading and writing.
pub fn sum_while_copying(from: &mut impl Read, to: &mut impl Write) -> io::Result<(u64, String)> {
    let mut digest = Digest::new();
    let mut buffer = vec![0u8; 1 << 16];
    let mut size = 0;
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => return Ok((size, digest.hex())),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        digest.update(&buffer[..n]);
        to.write_all(&buffer[..n])?;
        size += n as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2, appendix B.1.
    #[test]
    fn digests_are_the_standards() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256("abc"), abc);
        let mut copy = Vec::new();
        let (size, sum) = sum_while_copying(&mut "abc".as_bytes(), &mut copy).unwrap();
        assert_eq!((size, sum.as_str(), copy.as_slice()), (3, abc, &b"abc"[..]));
        let mut digest = Digest::new();
        digest.update("a");
        digest.update("bc");
        assert_eq!(digest.short(6), abc[..12]);
    }
}

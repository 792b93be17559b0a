//! Lines that end as Windows ends them, as if they ended as others do: the reader of tables counts a
//! line when it sees its last character, so that it would name the line before.

use std::cell::Cell;
use std::io::{self, BufReader, Bytes, Read};
use std::rc::Rc;

/// How many quotation marks went by; of an even number each has its fellow.
pub(crate) type Quotes = Rc<Cell<usize>>;

/// What is read, without the carriage returns before line feeds.
pub(crate) struct LineEnds<R> {
    bytes: Bytes<BufReader<R>>,
    /// What came after a carriage return that ended no line.
    held: Option<u8>,
    quotes: Quotes,
}

impl<R: Read> LineEnds<R> {
    pub fn new(inner: R) -> Self {
        Self {
            bytes: BufReader::new(inner).bytes(),
            held: None,
            quotes: Quotes::default(),
        }
    }

    /// Counts the quotation marks that go by.
    pub fn quotes(&self) -> Quotes {
        self.quotes.clone()
    }

    fn next(&mut self) -> io::Result<Option<u8>> {
        let byte = match self.held.take() {
            None => self.bytes.next().transpose()?,
            held => held,
        };
        if byte == Some(b'\r') {
            match self.bytes.next().transpose()? {
                Some(b'\n') => return Ok(Some(b'\n')),
                other => self.held = other,
            }
        }
        Ok(byte)
    }
}

impl<R: Read> Read for LineEnds<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut count = 0;
        for place in out {
            let Some(byte) = self.next()? else { break };
            if byte == b'"' {
                self.quotes.set(self.quotes.get() + 1);
            }
            *place = byte;
            count += 1;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_ends_a_line_goes() {
        for (text, expected) in [
            ("a\r\nb\r\n", "a\nb\n"),
            ("a\rb\r", "a\rb\r"),
            ("\r\r\n\n\r", "\r\n\n\r"),
            ("", ""),
        ] {
            let mut found = String::new();
            let mut read = LineEnds::new(text.as_bytes());
            read.read_to_string(&mut found).unwrap();
            assert_eq!(found, expected, "{text:?}");
        }
    }
}

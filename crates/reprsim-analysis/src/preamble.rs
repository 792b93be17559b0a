//! What stands before the header of a table: Excel's `sep=;`, and remarks after `#`.

/// What may separate fields.
pub(crate) const DELIMITERS: [(u8, &str); 3] =
    [(b',', "commas"), (b';', "semicolons"), (b'\t', "tabs")];

/// What the lines before the header say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Preamble {
    /// What separates fields.
    pub delimiter: Option<u8>,
    /// What was found, for the user.
    pub words: Vec<String>,
}

impl Preamble {
    /// Takes it off the first lines of a table. Its lines are left empty, so that those of the table
    /// keep their numbers; `delimiter` is what a user says.
    ///
    /// A line after `#` that has as many fields as the one after it, which holds a number, is the
    /// header itself, as numpy writes it.
    pub fn take(head: &mut Vec<u8>, delimiter: Option<u8>) -> Self {
        let mut found = Self::default();
        let (mut taken, mut remarks): (Vec<Line>, Vec<Line>) = Default::default();
        let mut first = None;
        for line in lines(head) {
            let text = line.text(head);
            if text.is_empty() {
                continue;
            }
            if text.starts_with(b"#") {
                remarks.push(line);
                continue;
            }
            if let (Some(said), true) = (
                separator(&head[line.from..line.to]),
                remarks.is_empty() && taken.is_empty(),
            ) {
                if let Some(byte) = said {
                    found.words.push(format!(
                        "line {} says that fields are separated by {}",
                        line.number,
                        named(byte)
                    ));
                }
                found.delimiter = said;
                taken.push(line);
                continue;
            }
            first = Some(line);
            break;
        }
        let Some(first) = first else {
            // Nothing but remarks is for the reader to refuse.
            return found;
        };
        let known = delimiter.or(found.delimiter);
        if let Some(header) =
            remarks.pop_if(|last| is_header(last.text(head), first.text(head), known))
        {
            found
                .words
                .push(format!("line {} is the header, after #", header.number));
            let text = header.text(head);
            if text
                .get(1)
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || b" \t\"_".contains(byte))
            {
                let mark = header.from
                    + head[header.from..]
                        .iter()
                        .position(|b| *b == b'#')
                        .unwrap_or(0);
                head[mark] = b' ';
            }
        }
        match remarks.as_slice() {
            [] => {}
            [one] => found
                .words
                .push(format!("line {} is a remark (#)", one.number)),
            [one, .., last] => found.words.push(format!(
                "lines {} to {} are remarks (#)",
                one.number, last.number
            )),
        }
        taken.append(&mut remarks);
        for line in taken.iter().rev() {
            head.drain(line.from..line.to);
        }
        found
    }
}

/// A line, without the character that ends it.
#[derive(Clone, Copy)]
struct Line {
    number: usize,
    from: usize,
    to: usize,
}

impl Line {
    fn text(self, head: &[u8]) -> &[u8] {
        head[self.from..self.to].trim_ascii()
    }
}

fn lines(head: &[u8]) -> Vec<Line> {
    let mut from = 0;
    (head.split(|byte| *byte == b'\n').enumerate())
        .map(|(at, line)| {
            let line = Line {
                number: at + 1,
                from,
                to: from + line.len(),
            };
            from = line.to + 1;
            line
        })
        .collect()
}

/// Of `sep=;`, in quotation marks or not, what is between fields; nothing where it does not say.
fn separator(line: &[u8]) -> Option<Option<u8>> {
    let text = line.trim_ascii_start();
    let text = text.strip_prefix(b"\"").unwrap_or(text);
    let (name, rest) = text.split_at_checked(4)?;
    let rest = rest.trim_ascii_end().strip_suffix(b"\"").unwrap_or(rest);
    match rest.trim_ascii() {
        _ if !name.eq_ignore_ascii_case(b"sep=") => None,
        // A tab is a blank, too.
        [] => Some(rest.contains(&b'\t').then_some(b'\t')),
        [byte] if !byte.is_ascii_alphanumeric() && byte.is_ascii() => Some(Some(*byte)),
        _ => None,
    }
}

/// Whether a line after `#` is the header of the table that goes on with `next`.
fn is_header(remark: &[u8], next: &[u8], delimiter: Option<u8>) -> bool {
    let number = |field: &[u8]| {
        let text = std::str::from_utf8(field).unwrap_or_default().trim();
        text.replace(',', ".").parse::<f64>().is_ok()
    };
    let fits = |delimiter: u8| {
        let count = |line: &[u8]| line.split(|byte| *byte == delimiter).count();
        count(next) > 1
            && count(next) == count(remark)
            && next.split(|byte| *byte == delimiter).any(number)
    };
    match delimiter {
        Some(delimiter) => fits(delimiter),
        None => DELIMITERS.iter().any(|(delimiter, _)| fits(*delimiter)),
    }
}

fn named(delimiter: u8) -> String {
    match DELIMITERS.iter().find(|(byte, _)| *byte == delimiter) {
        Some((_, name)) => (*name).into(),
        None => format!("'{}'", char::from(delimiter)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> (Option<u8>, String, String) {
        let mut head = text.as_bytes().to_vec();
        let found = Preamble::take(&mut head, None);
        let left = String::from_utf8(head).unwrap();
        let left: Vec<&str> = left.lines().map(str::trim).collect();
        (found.delimiter, left.join("|"), found.words.join("; "))
    }

    #[test]
    fn what_excel_and_others_write_first_is_understood() {
        for (text, delimiter, left, words) in [
            ("x,y\n1,2\n", None, "x,y|1,2", ""),
            (
                "sep=;\r\nx;y\r\n1;2\r\n",
                Some(b';'),
                "|x;y|1;2",
                "separated by semicolons",
            ),
            ("\"SEP=,\"\nx,y\n", Some(b','), "|x,y", "line 1 says"),
            ("sep=\t\nx\ty\n", Some(b'\t'), "|x\ty", "by tabs"),
            ("sep=|\nx|y\n", Some(b'|'), "|x|y", "by '|'"),
            ("sep=\nx,y\n1,2\n", None, "|x,y|1,2", ""),
            ("sep=,  \nx,y\n", Some(b','), "|x,y", "by commas"),
            (
                "# made by x, 3 May\n#\n\nx,y\n1,2\n",
                None,
                "|||x,y|1,2",
                "lines 1 to 2 are remarks",
            ),
            (
                "sep=;\n# a remark\nx;y\n",
                Some(b';'),
                "||x;y",
                "line 2 is a remark",
            ),
            // Of numpy.savetxt, and of a table whose first column is called #.
            ("# x,y\n0.5,1\n", None, "x,y|0.5,1", "line 1 is the header"),
            (
                "# made\n# x;y\n0,5;1\n",
                None,
                "|x;y|0,5;1",
                "line 2 is the header, after #; line 1 is",
            ),
            ("#,name\n1,a\n", None, "#,name|1,a", "line 1 is the header"),
            ("separate,y\n1,2\n", None, "separate,y|1,2", ""),
            ("# nothing else\n", None, "# nothing else", ""),
        ] {
            let found = taken(text);
            assert_eq!((found.0, found.1.as_str()), (delimiter, left), "{text}");
            assert!(found.2.contains(words), "{text}: {}", found.2);
        }
    }
}

//! Whether a text is a table of fields with something between them, whatever it is called.

/// What stands between the fields of tables.
const DELIMITERS: [char; 4] = ['\t', ',', ';', '|'];
/// Fewer rows are no table: two lines may be alike by chance.
const FEWEST: usize = 3;
/// Where a space follows what stands between fields, as it does in prose, there must be more rows
/// and more fields that agree.
const FEWEST_SPACED: usize = 8;

/// Whether `text`, which goes on if it is not `whole`, is a table: nearly all of its lines have
/// equally many fields.
pub(super) fn is_table(text: &str, whole: bool) -> bool {
    let text = without_comments(text);
    DELIMITERS
        .iter()
        .any(|&delimiter| Rows::of(text, whole, delimiter).is_some_and(|rows| rows.agree()))
}

/// A text without the lines that it begins with and that say what it is.
fn without_comments(mut text: &str) -> &str {
    while let Some((first, rest)) = text.split_once('\n')
        && (first.starts_with('#') || first.trim().is_empty())
    {
        text = rest;
    }
    text
}

/// The rows of a text for a delimiter.
struct Rows {
    delimiter: char,
    /// Fields of each row that is not blank.
    fields: Vec<usize>,
    /// Rows that begin with a delimiter, as indented lines do.
    indented: usize,
    /// All delimiters, those that a space follows, and those that part a number's thousands.
    delimiters: usize,
    spaced: usize,
    thousands: usize,
}

impl Rows {
    /// None where the first line has no delimiter: such a text is soon done with.
    fn of(text: &str, whole: bool, delimiter: char) -> Option<Self> {
        if !text.trim_start().lines().next()?.contains(delimiter) {
            return None;
        }
        let mut rows = Self {
            delimiter,
            fields: vec![],
            indented: 0,
            delimiters: 0,
            spaced: 0,
            thousands: 0,
        };
        let (mut fields, mut begin, mut quoted) = (1, 0, false);
        let mut field = 0;
        let mut characters = text.char_indices().peekable();
        while let Some((at, c)) = characters.next() {
            match c {
                // A field in quotes may hold anything, two quotes for one.
                '"' if quoted && characters.peek().is_some_and(|(_, next)| *next == '"') => {
                    characters.next();
                }
                '"' if quoted => quoted = false,
                '"' if text[field..at].trim().is_empty() => quoted = true,
                _ if quoted => {}
                '\n' => {
                    rows.end(&text[begin..at], fields);
                    (fields, begin, field) = (1, at + 1, at + 1);
                }
                c if c == delimiter => {
                    fields += 1;
                    field = at + c.len_utf8();
                    rows.delimiters += 1;
                    let after = &text[field..];
                    rows.spaced += usize::from(after.starts_with([' ', '\r', '\n']));
                    rows.thousands += usize::from(is_within_number(&text[..at], after));
                }
                _ => {}
            }
        }
        if whole && !quoted {
            rows.end(&text[begin..], fields);
        }
        Some(rows)
    }

    fn end(&mut self, line: &str, fields: usize) {
        if !line.trim().is_empty() {
            self.fields.push(fields);
            self.indented += usize::from(line.starts_with(self.delimiter));
        }
    }

    fn agree(&self) -> bool {
        let count = |n: usize| self.fields.iter().filter(|fields| **fields == n).count();
        let usual = self.fields.iter().copied().max_by_key(|&n| (count(n), n));
        let rows = self.fields.len();
        let Some(usual) = usual.filter(|&n| n > 1 && 10 * count(n) >= 9 * rows) else {
            return false;
        };
        if 2 * self.indented > rows || 2 * self.thousands > self.delimiters {
            return false;
        }
        let tight = self.delimiter == '\t' || 10 * self.spaced <= self.delimiters;
        match tight {
            true => rows >= FEWEST,
            false => rows >= FEWEST_SPACED && usual > 2,
        }
    }
}

/// Whether what stands between these parts the thousands of a number: `1,000`.
fn is_within_number(before: &str, after: &str) -> bool {
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    digits == 3 && before.ends_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_told_whatever_stands_between_their_fields() {
        let rows = |row: &str| row.repeat(20);
        for text in [
            "text,label\nsome words,1\nother words,0\n",
            "id;text;label\n1;some words;a\n2;more, and more;b\n",
            "a\tb\nsome words, said\tone\nother words\ttwo\n",
            "text,label\n\"words, and\nmore \"\"words\"\"\",1\nx,2\n",
            "LJ1|Printing, in the sense|Printing\nLJ2|in being|in being\nLJ3|a|b\n",
            &format!("a, b, c\n{}", rows("1, 2, 3\n")),
            &format!("x,y\n{}broken\n", rows("0.5,1\n")),
        ] {
            assert!(is_table(text, true), "{text}");
            // One that is cut anywhere later is still one.
            let cut = text.len() - 2;
            assert!(
                is_table(&format!("{}{}", text, &text[..cut]), false),
                "{text}"
            );
        }
    }

    #[test]
    fn comments_before_a_table_do_not_hide_it() {
        let text = "# made by hand\n#\n\nid,text\n1,words\n2,more words\n";
        assert!(is_table(text, true));
        assert!(!is_table("# A title\n\nSome words,\nand more.\n", true));
    }

    #[test]
    fn prose_is_no_table() {
        let wrapped = "It was, as he said, the best of times,\nthe worst of times, and it was\nso on, \
                       and so forth, until\nthe end, which came late.\n";
        for text in [
            "Roses are red, I am told,\nViolets are blue, I have read,\nSugar is sweet, they say,\nAnd so \
             are you, my dear.\n",
            wrapped,
            "It cost 1,000 then.\nIt costs 2,000 now.\nIt will cost 3,000.\n",
            "\tOnce upon a time\n\tthere was a king\n\twho had a daughter\n",
            "\"Yes,\" he said.\n\"No,\" she said.\n\"Well,\" they said.\n",
            "One line, and no more.\n",
            "first,second\nprose\nprose\nprose\n",
            "one; two; three\nfour; five\nsix\n",
            "fn f(a: u8, b: u8) {\n    g(a, b);\n    h(b, a);\n}\n",
            "",
            "\n\n",
        ] {
            assert!(!is_table(text, true), "{text}");
            assert!(!is_table(&text.repeat(30), true), "many times: {text}");
        }
        let book = include_str!("../../../../datasets/father-brown.txt");
        assert!(!is_table(book, true));
        for chapter in book.split("\n\n") {
            assert!(!is_table(chapter, true), "{chapter}");
        }
    }
}

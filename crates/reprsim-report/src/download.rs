//! A table inside the page, to save.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, GzBuilder};
use maud::{Markup, html};

/// Tables larger than this are compressed.
const PLAIN: usize = 600_000;
/// A page holds no more of a table than this, encoded.
const MOST: usize = 4_300_000;
/// Significant digits of a rounded table.
const DIGITS: usize = 4;

/// A link that holds the table: as it is, compressed, or, where a page would grow too
/// large to send, with its numbers rounded.
pub(crate) fn link(name: &str, content: &str) -> Markup {
    if content.len() <= PLAIN {
        let plain = format!("data:text/csv;charset=utf-8,{}", percent_encode(content));
        return html! { p { a download=(name) href=(plain) { "Download " (name) } } };
    }
    let file = format!("{name}.gz");
    let exact = encoded(content);
    if exact.as_ref().is_some_and(|text| text.len() <= MOST) {
        return html! { p { a download=(file) href=[exact] { "Download " (file) } } };
    }
    let rounded = encoded(&rounded(content)).filter(|text| text.len() <= MOST);
    html! {
        @if rounded.is_some() {
            @let file = format!("rounded-{file}");
            p { a download=(file) href=[rounded] { "Download " (file) } }
            p.note {
                "Numbers have " (DIGITS) " digits here, or the page would be too large to send; the full "
                "table is written beside it."
            }
        } @else {
            p.note { "The table " (name) " is too large for this page and is written beside it." }
        }
    }
}

fn encoded(content: &str) -> Option<String> {
    // Without a time: the same table gives the same page.
    let mut file = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::default());
    file.write_all(content.as_bytes()).ok()?;
    let bytes = file.finish().ok()?;
    Some(format!(
        "data:application/gzip;base64,{}",
        STANDARD.encode(bytes)
    ))
}

/// The table with long numbers rounded to [`DIGITS`] significant digits.
fn rounded(content: &str) -> String {
    let mut out = String::with_capacity(content.len() / 2);
    for (i, field) in content.split_inclusive([',', '\n']).enumerate() {
        let text = field.trim_end_matches([',', '\n', '\r']);
        let long = i > 0 && text.len() > DIGITS + 2 && text.contains('.');
        match text.parse::<f64>().ok().filter(|v| long && v.is_finite()) {
            Some(value) => {
                let rounded = format!("{value:.*e}", DIGITS - 1);
                match rounded.parse::<f64>() {
                    Ok(short) => out.push_str(&short.to_string()),
                    Err(_) => out.push_str(text),
                }
                out.push_str(&field[text.len()..]);
            }
            None => out.push_str(field),
        }
    }
    out
}

fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 5 / 4);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b',' => {
                out.push(byte as char);
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_large_table_comes_back_whole() {
        let table = "a,b\n1,2\n".repeat(100_000);
        let page = link("t.csv", &table).into_string();
        assert!(page.contains("t.csv.gz") && page.len() < 20_000);
        let from = page.find("base64,").unwrap() + 7;
        let code = page[from..].split('"').next().unwrap();
        let bytes = STANDARD.decode(code).unwrap();
        let mut back = String::new();
        flate2::read::GzDecoder::new(&bytes[..])
            .read_to_string(&mut back)
            .unwrap();
        assert_eq!(back, table);
    }

    #[test]
    fn only_numbers_are_rounded() {
        let table = "name,value\r\nlayer.12.34567,0.123456789\r\n\"a\",-1234567.891,7\n";
        assert_eq!(
            rounded(table),
            "name,value\r\nlayer.12.34567,0.1235\r\n\"a\",-1235000,7\n"
        );
    }
}

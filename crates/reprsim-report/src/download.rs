//! A table inside the page, to save.

use std::borrow::Cow;
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
    let rounded = rounded(content).ok().and_then(|text| encoded(&text));
    let rounded = rounded.filter(|text| text.len() <= MOST);
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

/// The table with long numbers rounded to [`DIGITS`] significant digits, but for its
/// header.
fn rounded(content: &str) -> Result<String, csv::Error> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(content.as_bytes());
    let mut writer = csv::WriterBuilder::new()
        .flexible(true)
        .from_writer(Vec::new());
    writer.write_record(reader.headers()?)?;
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record)? {
        for field in &record {
            writer.write_field(short(field).as_bytes())?;
        }
        writer.write_record(None::<&[u8]>)?;
    }
    let bytes = writer.into_inner().map_err(|e| e.into_error())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A field, rounded where it is a number with many digits.
fn short(field: &str) -> Cow<'_, str> {
    let long = field.len() > DIGITS + 2 && field.contains('.');
    let value = field.parse().ok().filter(|v: &f64| long && v.is_finite());
    let round = |value: f64| format!("{value:.*e}", DIGITS - 1).parse::<f64>().ok();
    match value.and_then(round) {
        Some(rounded) => rounded.to_string().into(),
        None => field.into(),
    }
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
        let table = "name,0.123456789\nlayer.12.34567,0.123456789\n\"a\",-1234567.891,7\n";
        assert_eq!(
            rounded(table).unwrap(),
            "name,0.123456789\nlayer.12.34567,0.1235\na,-1235000,7\n"
        );
    }

    /// A field in quotes is one, whatever is in it.
    #[test]
    fn numbers_inside_a_text_are_left_alone() {
        let table = "layer,value\n\"conv,1.2345678,\"\"b\"\"\",0.5\n";
        assert_eq!(rounded(table).unwrap(), table);
    }

    #[test]
    fn a_small_table_is_a_link_that_can_be_read_back() {
        let page = link("t.csv", "a,b\n\"1 %\",ü\n").into_string();
        let code = page.split("charset=utf-8,").nth(1).unwrap();
        assert!(
            code.starts_with("a,b%0A%221%20%25%22,%C3%BC%0A\""),
            "{code}"
        );
    }

    /// Numbers with more digits than a page has room for.
    #[test]
    fn a_table_too_large_is_rounded_or_left_out() {
        let digits = |i: u64| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11) as f64 / 9e15;
        let table: String = (0..400_000u64)
            .map(|i| format!("{}\n", digits(i)))
            .collect();
        let page = link("t.csv", &format!("x\n{table}")).into_string();
        assert!(page.contains("rounded-t.csv.gz") && page.contains("have 4 digits"));
        assert!(page.len() < MOST + 1000);
        let text: String = (0..800_000u64)
            .map(|i| format!("a{}\n", digits(i)))
            .collect();
        let page = link("t.csv", &format!("x\n{text}")).into_string();
        assert!(page.contains("is too large for this page") && page.len() < 1000);
    }
}

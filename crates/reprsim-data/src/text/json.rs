//! Documents in fields of objects of JSON.

use std::fmt;
use std::io::{BufRead, Read};
use std::path::Path;

use reprsim_base::listed;
use serde::Deserializer as _;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::documents::documents_of;
use super::source::utf8;
use crate::DataError;
use crate::card::CardText;

/// The field that holds the text, unless another is named.
pub(super) const FIELD: &str = "text";
/// No line is longer: what is has no line ends, and would be taken into memory whole.
const LONGEST_LINE: u64 = 256 << 20;

/// The fields whose texts are a document.
fn fields(rules: &CardText) -> Vec<&str> {
    rules.field.as_deref().unwrap_or(FIELD).split('+').collect()
}

/// The documents of JSON lines: every line is an object with the text in a field. The
/// first line begins at `offset` of the file.
pub(super) fn lines(
    path: &Path,
    mut lines: impl BufRead,
    mut offset: u64,
    rules: &CardText,
    each: &mut dyn FnMut(&str),
) -> Result<(), DataError> {
    let fields = fields(rules);
    let (mut bytes, mut line) = (Vec::new(), 0);
    loop {
        bytes.clear();
        let read = (&mut lines)
            .take(LONGEST_LINE + 1)
            .read_until(b'\n', &mut bytes)
            .map_err(|e| DataError::reading(path, offset, e))?;
        if read == 0 {
            return Ok(());
        }
        line += 1;
        let wrong = |error: ObjectError| DataError::Line {
            path: path.into(),
            line,
            source: error.into(),
        };
        if read as u64 > LONGEST_LINE {
            return Err(wrong(ObjectError::Long));
        }
        let json = utf8(path, None, &bytes, offset, rules.lossy)?;
        offset += read as u64;
        if json.trim().is_empty() {
            continue;
        }
        let object = serde_json::from_str(&json).map_err(|e| wrong(e.into()))?;
        documents_of(&document(&object, &fields).map_err(wrong)?, each);
    }
}

/// The documents of an array of such objects.
pub(super) fn array(
    path: &Path,
    reader: impl BufRead,
    rules: &CardText,
    each: &mut dyn FnMut(&str),
) -> Result<(), DataError> {
    let mut fault = None;
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    let read = deserializer.deserialize_seq(Elements {
        fields: &fields(rules),
        each,
        fault: &mut fault,
    });
    read.and_then(|()| deserializer.end()).map_err(|e| {
        if e.is_io() {
            return DataError::reading(path, 0, e.into());
        }
        let line = e.line() as u64;
        DataError::Line {
            path: path.into(),
            line,
            source: fault.unwrap_or(ObjectError::Json(e)).into(),
        }
    })
}

/// Takes the elements of an array one by one, so that they are not held.
struct Elements<'a> {
    fields: &'a [&'a str],
    each: &'a mut dyn FnMut(&str),
    /// What is wrong with an element that is JSON.
    fault: &'a mut Option<ObjectError>,
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(object) = elements.next_element()? {
            match document(&object, self.fields) {
                Ok(document) => documents_of(&document, self.each),
                Err(fault) => {
                    let error = A::Error::custom(&fault);
                    *self.fault = Some(fault);
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

/// Why an object gives no text.
#[derive(Debug, thiserror::Error)]
enum ObjectError {
    #[error("not a JSON object: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the line has more than {LONGEST_LINE} bytes; JSON lines have an object on each")]
    Long,
    #[error("the field '{0}' is not a string; name another as field")]
    NoString(String),
    #[error("no field '{field}'; name the one with the text as field, there are: {there}")]
    NoField { field: String, there: String },
    #[error("the field '{0}' holds a NUL character (\\u0000), which no text has; take it out")]
    Nul(String),
}

/// The text of an object; of more fields than one, each trimmed, on lines of their own.
fn document(object: &Map<String, Value>, fields: &[&str]) -> Result<String, ObjectError> {
    let text = |field: &&str| match object.get(*field) {
        Some(Value::String(text)) if text.contains('\0') => Err(ObjectError::Nul((*field).into())),
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(_) => Err(ObjectError::NoString((*field).into())),
        None => Err(ObjectError::NoField {
            field: (*field).into(),
            there: listed(&object.keys().map(String::as_str).collect::<Vec<_>>()),
        }),
    };
    match fields {
        [field] => text(field).map(String::from),
        _ => {
            let texts = fields.iter().map(text).collect::<Result<Vec<_>, _>>()?;
            let texts: Vec<&str> = texts.iter().map(|t| t.trim()).collect();
            Ok(texts.join("\n"))
        }
    }
}

//! Documents in fields of objects of JSON.

use std::cell::Cell;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use reprsim_base::listed;
use serde::Deserializer as _;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde_json::{Map, Value};

use reprsim_base::{OverBudget, memory_budget};

use super::documents::Documents;
use super::source::utf8;
use crate::DataError;
use crate::card::CardText;
use crate::readers::bounded::Bounded;

/// The field that holds the text, unless another is named.
pub(super) const FIELD: &str = "text";
/// No object is longer: it would be taken into memory whole.
const LONGEST: u64 = 256 << 20;

/// Bytes that an object may have: what is made of it takes several times as much.
fn longest() -> u64 {
    LONGEST.min(memory_budget() / 8)
}

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
    documents: &mut Documents<'_>,
) -> Result<(), DataError> {
    let (fields, longest) = (fields(rules), longest());
    let (mut bytes, mut line) = (Vec::new(), 0);
    loop {
        bytes.clear();
        let read = (&mut lines)
            .take(longest + 1)
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
        if read as u64 > longest {
            return Err(wrong(ObjectError::Long(longest)));
        }
        let json = utf8(path, None, &bytes, offset, rules.lossy)?;
        offset += read as u64;
        let json = documents.unmarked(&json);
        if json.trim().is_empty() {
            continue;
        }
        let object = serde_json::from_str(json).map_err(|e| wrong(e.into()))?;
        documents.take(&document(&object, &fields).map_err(wrong)?)?;
    }
}

/// The documents of an array of such objects.
pub(super) fn array(
    path: &Path,
    reader: impl BufRead,
    rules: &CardText,
    documents: &mut Documents<'_>,
) -> Result<(), DataError> {
    let mut fault = None;
    let longest = longest();
    let left = Rc::new(Cell::new(longest));
    let message = format!("an object of the array has more than {longest} bytes");
    let bounded = BufReader::new(Bounded::shared(reader, Rc::clone(&left), message));
    let mut deserializer = serde_json::Deserializer::from_reader(bounded);
    let read = deserializer.deserialize_seq(Elements {
        fields: &fields(rules),
        documents,
        left: &|| left.set(longest),
        fault: &mut fault,
    });
    read.and_then(|()| deserializer.end()).map_err(|e| {
        if e.is_io() {
            return DataError::reading(path, 0, e.into());
        }
        let line = e.line() as u64;
        let wrong = |source: ObjectError| DataError::Line {
            path: path.into(),
            line,
            source: source.into(),
        };
        match fault {
            Some(Stop::Memory(refused)) => refused.into(),
            Some(Stop::Object(fault)) => wrong(fault),
            None => wrong(ObjectError::Json(e)),
        }
    })
}

/// Why an array is read no further, though it is JSON.
enum Stop {
    Object(ObjectError),
    Memory(OverBudget),
}

/// Takes the elements of an array one by one, so that they are not held.
struct Elements<'a, 'd> {
    fields: &'a [&'a str],
    documents: &'a mut Documents<'d>,
    /// Allows the next element as many bytes as each may have.
    left: &'a dyn Fn(),
    fault: &'a mut Option<Stop>,
}

impl<'de> Visitor<'de> for Elements<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(object) = elements.next_element()? {
            let text = document(&object, self.fields).map_err(Stop::Object);
            let taken = text.and_then(|text| self.documents.take(&text).map_err(Stop::Memory));
            if let Err(fault) = taken {
                *self.fault = Some(fault);
                return Err(A::Error::custom("the reading was ended"));
            }
            (self.left)();
        }
        Ok(())
    }
}

/// Why an object gives no text.
#[derive(Debug, thiserror::Error)]
enum ObjectError {
    #[error("not a JSON object: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the line has more than {0} bytes; JSON lines have an object on each")]
    Long(u64),
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

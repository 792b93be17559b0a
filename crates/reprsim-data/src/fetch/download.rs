//! Files over HTTP.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use ureq::http::HeaderMap;

use super::error::FetchError;
use super::event::FetchEvent;
use super::patience::{LARGEST, Patience};
use crate::card::CardFile;

/// Downloads `url` to `part`, going on where an earlier try broke off; whether it did.
pub(super) fn download(
    url: &str,
    part: &Path,
    wanted: &CardFile,
    patience: &Patience<'_>,
    event: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<bool, FetchError> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_connect(Some(patience.connect))
        .timeout_recv_response(Some(patience.silence))
        .timeout_per_read(Some(patience.silence))
        .http_status_as_error(false)
        // The file as it lies on the server: compression on the way would
        // unpack archives and count bytes that are not those of the file.
        .accept_encoding("identity")
        .build()
        .into();
    let size = || fs::metadata(part).map_or(0, |m| m.len());
    let (mut farthest, mut pauses) = (size(), patience.pauses.iter());
    let mut resumed = false;
    loop {
        if wanted.sha256.is_none() {
            // Nothing would tell that the halves are of different files.
            let _ = fs::remove_file(part);
        }
        resumed |= size() > 0;
        let Err(error) = once(&agent, url, part, wanted, patience, event) else {
            return Ok(resumed);
        };
        if size() > farthest {
            (farthest, pauses) = (size(), patience.pauses.iter());
        }
        let Some(pause) = pauses.next().filter(|_| error.may_pass()) else {
            return Err(error);
        };
        event(FetchEvent::Again(error.to_string(), *pause));
        patience.pause(*pause)?;
    }
}

/// Asks once for what is missing.
fn once(
    agent: &ureq::Agent,
    url: &str,
    part: &Path,
    wanted: &CardFile,
    patience: &Patience<'_>,
    event: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<(), FetchError> {
    patience.go_on()?;
    let have = fs::metadata(part).map_or(0, |m| m.len());
    let mut request = agent.get(url);
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
    }
    let response = request.call().map_err(|e| FetchError::Request(e.into()))?;
    let range = range(response.headers());
    let other_part = |range: Option<Range>| {
        // What is here would never be continued.
        let _ = fs::remove_file(part);
        Err(FetchError::OtherPart(match range {
            Some(Range { start, total }) => format!("{start:?} of {total:?} instead of {have}"),
            None => "it does not say which".into(),
        }))
    };
    let resumed = match (response.status().as_u16(), range) {
        (200, _) => false,
        (206, Some(range)) if have > 0 && range.start == Some(have) => true,
        (206, range) if have > 0 => return other_part(range),
        // All of it is here already; the checksum decides.
        (416, None) if have > 0 => return Ok(()),
        (416, Some(range)) if range.total == Some(have) => return Ok(()),
        (416, range) if have > 0 => return other_part(range),
        (status, _) => return Err(FetchError::Status(status)),
    };
    let length = header(response.headers(), "content-length").and_then(|v| v.parse::<u64>().ok());
    let mut here = if resumed { have } else { 0 };
    let total = length.map(|l| l.saturating_add(here));
    let total = total.or(range.filter(|_| resumed).and_then(|r| r.total));
    let say = FetchError::io(part);
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .append(resumed)
        .truncate(!resumed)
        .open(part)
        .map_err(&say)?;
    let mut body = response.into_body().into_reader();
    let mut buffer = vec![0u8; 1 << 16];
    loop {
        let n = body.read(&mut buffer).map_err(FetchError::BrokeOff)?;
        if n == 0 {
            break;
        }
        file.write_all(&buffer[..n]).map_err(&say)?;
        here += n as u64;
        if let Some(bytes) = wanted.bytes.filter(|&bytes| here > bytes.max(1 << 20) * 2) {
            // Whatever this is, going on with it would not make it the file.
            let _ = fs::remove_file(part);
            return Err(FetchError::Endless(bytes));
        }
        if here > LARGEST.max(wanted.bytes.unwrap_or(0)) {
            let _ = fs::remove_file(part);
            return Err(FetchError::TooMuch(LARGEST));
        }
        patience.go_on()?;
        event(FetchEvent::Bytes(here, total));
    }
    if total.is_some_and(|t| here < t) {
        return Err(FetchError::Short(here));
    }
    Ok(())
}

/// What a server says that it sends: where that begins, and how large the whole is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    start: Option<u64>,
    total: Option<u64>,
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The header `Content-Range`, as `bytes 100-199/200` or `bytes */200` (RFC 9110, 14.4).
fn range(headers: &HeaderMap) -> Option<Range> {
    let (part, total) = header(headers, "content-range")?
        .trim()
        .strip_prefix("bytes ")?
        .split_once('/')?;
    let start = part
        .split_once('-')
        .and_then(|(start, _)| start.trim().parse().ok());
    Some(Range {
        start,
        total: total.trim().parse().ok(),
    })
}

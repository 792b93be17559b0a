//! Files over HTTP.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use super::error::FetchError;
use super::event::FetchEvent;
use crate::card::CardFile;

/// Downloads `url` to `part`, going on where an earlier try broke off.
pub(super) fn download(
    url: &str,
    part: &Path,
    wanted: &CardFile,
    event: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<(), FetchError> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(15)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .http_status_as_error(false)
        // The file as it lies on the server: compression on the way would
        // unpack archives and count bytes that are not those of the file.
        .accept_encoding("identity")
        .build()
        .into();
    let have = fs::metadata(part).map_or(0, |m| m.len());
    let mut request = agent.get(url);
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
    }
    let response = request.call().map_err(|e| FetchError::Request(e.into()))?;
    let status = response.status().as_u16();
    if status == 416 {
        return Ok(()); // all of it is here already; the checksum decides
    }
    if status != 200 && status != 206 {
        return Err(FetchError::Status(status));
    }
    let resumed = status == 206 && have > 0;
    let length = response
        .headers()
        .get("content-length")
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse::<u64>().ok());
    let mut here = if resumed { have } else { 0 };
    let total = length.map(|l| l + here);
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
        event(FetchEvent::Bytes(here, total));
    }
    if total.is_some_and(|t| here < t) {
        return Err(FetchError::Short(here));
    }
    Ok(())
}

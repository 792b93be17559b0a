//! Event files of TensorBoard: records of the TFRecord format, each a protocol buffer
//! message `Event`, of which the four fields that scalars need are written.

/// A number at a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scalar {
    /// Its name, such as `loss/training`.
    pub tag: String,
    /// The epoch or batch.
    pub step: i64,
    /// The value, which the format holds in single precision.
    pub value: f64,
    /// Seconds since 1970.
    pub wall_time: f64,
}

/// The content of an event file. TensorBoard finds it by its name, which must hold
/// `tfevents`, such as `events.out.tfevents.0.reprsim`.
pub fn event_file(scalars: &[Scalar]) -> Vec<u8> {
    let start = scalars.first().map_or(0.0, |s| s.wall_time);
    let mut version = Message::default();
    version.double(1, start);
    version.bytes(3, b"brain.Event:2");
    let mut out = record(&version.0);
    for scalar in scalars {
        let mut value = Message::default();
        value.bytes(1, scalar.tag.as_bytes());
        value.float(2, scalar.value as f32);
        let mut summary = Message::default();
        summary.bytes(1, &value.0);
        let mut event = Message::default();
        event.double(1, scalar.wall_time);
        event.integer(2, scalar.step);
        event.bytes(5, &summary.0);
        out.extend(record(&event.0));
    }
    out
}

/// Length, checksum of the length, data, checksum of the data.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut out = Vec::with_capacity(data.len() + 16);
    out.extend(length);
    out.extend(masked(&length).to_le_bytes());
    out.extend(data);
    out.extend(masked(data).to_le_bytes());
    out
}

/// A checksum turned and shifted, as the format has it, so that sums of sums differ.
fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

/// A protocol buffer message.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn key(&mut self, field: u64, wire: u64) {
        self.varint(field << 3 | wire);
    }

    fn integer(&mut self, field: u64, value: i64) {
        self.key(field, 0);
        self.varint(value as u64);
    }

    fn double(&mut self, field: u64, value: f64) {
        self.key(field, 1);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, value: &[u8]) {
        self.key(field, 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
    }

    fn float(&mut self, field: u64, value: f32) {
        self.key(field, 5);
        self.0.extend(value.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a field holds.
    #[derive(Debug, PartialEq)]
    enum Field<'a> {
        Integer(u64),
        Fixed(&'a [u8]),
    }

    fn varint(bytes: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return value;
            }
        }
    }

    fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
        let mut out = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            let length = match key & 7 {
                0 => {
                    out.push((key >> 3, Field::Integer(varint(&mut bytes))));
                    continue;
                }
                1 => 8,
                5 => 4,
                _ => varint(&mut bytes) as usize,
            };
            out.push((key >> 3, Field::Fixed(&bytes[..length])));
            bytes = &bytes[length..];
        }
        out
    }

    fn records(mut bytes: &[u8]) -> Vec<&[u8]> {
        let word = |b: &[u8]| u32::from_le_bytes(b[..4].try_into().unwrap());
        let mut out = Vec::new();
        while !bytes.is_empty() {
            let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            assert_eq!(word(&bytes[8..]), masked(&bytes[..8]));
            let data = &bytes[12..12 + length];
            assert_eq!(word(&bytes[12 + length..]), masked(data));
            out.push(data);
            bytes = &bytes[16 + length..];
        }
        out
    }

    /// The bytes of a writer of twenty lines of Python, after the description of the format
    /// in TensorFlow's `record_writer.h` and `event.proto`.
    #[test]
    fn the_bytes_are_those_of_the_format() {
        let file = event_file(&[Scalar {
            tag: "a/b".into(),
            step: 300,
            value: 0.25,
            wall_time: 1.5,
        }]);
        let version = "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a32\
              2a28646c";
        let scalar = "1a00000000000000129bd82d09000000000000f83f10ac022a0c0a0a0a03612f62150000\
              803ef9cde7ed";
        let found: String = file.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found, format!("{version}{scalar}"));
    }

    #[test]
    fn scalars_come_back() {
        let tag = "loss/".to_string() + &"x".repeat(200);
        let scalar = |step, value| Scalar {
            tag: tag.clone(),
            step,
            value,
            wall_time: 1.5,
        };
        let file = event_file(&[scalar(0, 0.25), scalar(300, f64::NAN)]);
        let records = records(&file);
        assert_eq!(records.len(), 3);
        assert_eq!(fields(records[0])[1], (3, Field::Fixed(b"brain.Event:2")));
        let event = fields(records[2]);
        assert_eq!(event[0], (1, Field::Fixed(&1.5f64.to_le_bytes())));
        assert_eq!(event[1], (2, Field::Integer(300)));
        let Field::Fixed(summary) = event[2].1 else {
            panic!("no summary")
        };
        let Field::Fixed(value) = fields(summary)[0].1 else {
            panic!("no value")
        };
        assert_eq!(fields(value)[0], (1, Field::Fixed(tag.as_bytes())));
        let first = fields(records[1]);
        let Field::Fixed(summary) = first[2].1 else {
            panic!("no summary")
        };
        assert!(summary.ends_with(&0.25f32.to_le_bytes()));
        assert_eq!(event_file(&[]).len(), 16 + 9 + 15);
    }
}

//! Tables as Parquet.

use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

/// A column of a table; a missing value is a null.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Text.
    Text(Vec<Option<String>>),
    /// Whole numbers.
    Integer(Vec<Option<i64>>),
    /// Numbers.
    Number(Vec<Option<f64>>),
}

/// A table that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write Parquet")]
pub struct ParquetFailure(#[from] ParquetError);

/// Encodes named columns of one length as a Parquet file.
///
/// # Errors
/// [`ParquetFailure`] if columns are of different lengths.
pub fn parquet(columns: &[(&str, Column)]) -> Result<Vec<u8>, ParquetFailure> {
    let fields = columns
        .iter()
        .map(|(name, column)| {
            let (physical, converted) = match column {
                Column::Text(_) => (Physical::BYTE_ARRAY, ConvertedType::UTF8),
                Column::Integer(_) => (Physical::INT64, ConvertedType::NONE),
                Column::Number(_) => (Physical::DOUBLE, ConvertedType::NONE),
            };
            Type::primitive_type_builder(name, physical)
                .with_repetition(Repetition::OPTIONAL)
                .with_converted_type(converted)
                .build()
                .map(Arc::new)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let schema = Type::group_type_builder("schema")
        .with_fields(fields)
        .build()?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .build();
    let mut bytes = Vec::new();
    let mut file = SerializedFileWriter::new(&mut bytes, Arc::new(schema), Arc::new(properties))?;
    let mut group = file.next_row_group()?;
    for (_, column) in columns {
        let Some(mut writer) = group.next_column()? else {
            break;
        };
        fn levels<T>(values: &[Option<T>]) -> Vec<i16> {
            values.iter().map(|v| i16::from(v.is_some())).collect()
        }
        match column {
            Column::Text(values) => {
                let present: Vec<ByteArray> = (values.iter().flatten())
                    .map(|v| ByteArray::from(v.as_str()))
                    .collect();
                let levels = levels(values);
                (writer.typed::<ByteArrayType>()).write_batch(&present, Some(&levels), None)?;
            }
            Column::Integer(values) => {
                let present: Vec<i64> = values.iter().flatten().copied().collect();
                let levels = levels(values);
                (writer.typed::<Int64Type>()).write_batch(&present, Some(&levels), None)?;
            }
            Column::Number(values) => {
                let present: Vec<f64> = values.iter().flatten().copied().collect();
                let levels = levels(values);
                (writer.typed::<DoubleType>()).write_batch(&present, Some(&levels), None)?;
            }
        }
        writer.close()?;
    }
    group.close()?;
    file.close()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::io::Write;

    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    use super::*;

    #[test]
    fn columns_come_back_with_their_types_and_gaps() {
        let columns = [
            (
                "name",
                Column::Text(vec![Some("ä, \"b\"".into()), None, Some(String::new())]),
            ),
            ("n", Column::Integer(vec![None, Some(i64::MIN), Some(7)])),
            ("value", Column::Number(vec![Some(0.1), Some(-0.0), None])),
        ];
        let bytes = parquet(&columns).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        let rows: Vec<Vec<Field>> = reader
            .get_row_iter(None)
            .unwrap()
            .map(|row| {
                row.unwrap()
                    .into_columns()
                    .into_iter()
                    .map(|c| c.1)
                    .collect()
            })
            .collect();
        let text = |text: &str| Field::Str(text.into());
        assert_eq!(
            rows,
            [
                [text("ä, \"b\""), Field::Null, Field::Double(0.1)],
                [Field::Null, Field::Long(i64::MIN), Field::Double(-0.0)],
                [text(""), Field::Long(7), Field::Null],
            ]
        );
        assert_eq!(reader.metadata().file_metadata().num_rows(), 3);
    }

    #[test]
    fn columns_of_different_lengths_are_refused() {
        let columns = [
            ("a", Column::Number(vec![Some(1.0)])),
            ("b", Column::Number(vec![Some(1.0), Some(2.0)])),
        ];
        let error = parquet(&columns).unwrap_err();
        assert!(error.source().is_some(), "{error}");
    }
}

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
#[error("cannot write Parquet: {0}")]
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

//! Trials as Parquet: the columns of trials.csv with their types, for readers that query many files at once.
//!
//! The table of CSV stays the record that hashes and shards rest on; this file is made from the same rows. Values of
//! budgets are decimals with six places, as exact as in the table. Lists (`tries`, `faults`, `idle`, `failing`) are one
//! text each, separated by `;` as there.

use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{PrimitiveTypeBuilder, Type, TypePtr};

use super::Trial;

/// Between the parts of a list.
const SEPARATOR: &str = ";";
/// Digits of a budget's value, and those of them behind the point.
const DECIMAL: (i32, i32) = (18, 6);

/// A column: its name, and its value in each row.
enum Column<'a> {
    Text(&'a str, fn(&Trial) -> String),
    Count(&'a str, fn(&Trial) -> u64),
    Flag(&'a str, fn(&Trial) -> bool),
    /// The budget of this number.
    Value(&'a str, usize),
}

fn columns(budgets: &[String]) -> Vec<Column<'_>> {
    use Column::{Count, Flag, Text, Value};
    let head = [
        Count("trial", |trial| trial.number),
        Count("seed", |trial| trial.seed),
        Text("stratum", |trial| trial.stratum.clone()),
        Text("class", |trial| trial.class.word().to_owned()),
        Flag("success", |trial| trial.success),
        Count("due", |trial| trial.due),
        Count("updated", |trial| trial.updated),
        Text("tries", |trial| trial.tries.join(SEPARATOR)),
        Text("faults", |trial| trial.faults.join(SEPARATOR)),
    ];
    let values = budgets.iter().enumerate().map(|(index, name)| Value(name, index));
    let tail = [
        Text("idle", |trial| trial.idle.join(SEPARATOR)),
        Text("failing", |trial| trial.failing.join(SEPARATOR)),
        Text("note", |trial| trial.note.clone()),
        Text("fingerprint", |trial| trial.fingerprint.clone()),
        Text("scenario", |trial| trial.scenario.clone()),
    ];
    head.into_iter().chain(values).chain(tail).collect()
}

/// Rows as a Parquet file; `budgets` are the names of the values' columns, as in the table.
///
/// # Errors
/// What the writer says; none is known.
pub fn trials_parquet(budgets: &[String], trials: &[Trial]) -> Result<Vec<u8>, String> {
    write(budgets, trials).map_err(|error| error.to_string())
}

fn write(budgets: &[String], trials: &[Trial]) -> Result<Vec<u8>, ParquetError> {
    let columns = columns(budgets);
    let fields: Result<Vec<TypePtr>, ParquetError> =
        columns.iter().map(|column| Ok(Arc::new(field(column)?))).collect();
    let schema = Arc::new(Type::group_type_builder("trials").with_fields(fields?).build()?);
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(WriterProperties::builder().build()))?;
    let mut group = writer.next_row_group()?;
    for column in &columns {
        match column {
            Column::Text(_, of) => {
                let texts: Vec<ByteArray> =
                    trials.iter().map(|trial| ByteArray::from(of(trial).into_bytes())).collect();
                put::<ByteArrayType>(&mut group, &texts, None)?;
            }
            // The same 64 bits: the column is marked as unsigned.
            Column::Count(_, of) => {
                let counts: Vec<i64> = trials.iter().map(|trial| of(trial).cast_signed()).collect();
                put::<Int64Type>(&mut group, &counts, None)?;
            }
            Column::Flag(_, of) => {
                put::<BoolType>(&mut group, &trials.iter().map(of).collect::<Vec<bool>>(), None)?;
            }
            Column::Value(_, index) => {
                let values = trials.iter().map(|trial| trial.values.get(*index).copied().flatten());
                let present: Vec<i16> = values.clone().map(|value| i16::from(value.is_some())).collect();
                let values: Vec<i64> = values.flatten().map(|value| value.as_millionths()).collect();
                put::<Int64Type>(&mut group, &values, Some(&present))?;
            }
        }
    }
    group.close()?;
    writer.into_inner()
}

fn required(name: &str, physical: Physical) -> PrimitiveTypeBuilder<'_> {
    Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED)
}

fn field(column: &Column<'_>) -> Result<Type, ParquetError> {
    match column {
        Column::Text(name, _) => {
            required(name, Physical::BYTE_ARRAY).with_logical_type(Some(LogicalType::String)).build()
        }
        Column::Count(name, _) => required(name, Physical::INT64).with_converted_type(ConvertedType::UINT_64).build(),
        Column::Flag(name, _) => required(name, Physical::BOOLEAN).build(),
        Column::Value(name, _) => Type::primitive_type_builder(name, Physical::INT64)
            .with_repetition(Repetition::OPTIONAL)
            .with_converted_type(ConvertedType::DECIMAL)
            .with_precision(DECIMAL.0)
            .with_scale(DECIMAL.1)
            .build(),
    }
}

fn put<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[T::T],
    present: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let mut column = group.next_column()?.ok_or_else(|| ParquetError::General("one column too many".to_owned()))?;
    column.typed::<T>().write_batch(values, present, None)?;
    column.close()
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::Field;

    use super::*;
    use crate::campaign::Class;
    use crate::number::Fixed;

    fn trial(number: u64, value: Option<Fixed>) -> Trial {
        Trial {
            number,
            seed: u64::MAX,
            stratum: "all".to_owned(),
            faults: vec!["sag".to_owned(), "cut".to_owned()],
            idle: Vec::new(),
            class: Class::Tolerated,
            success: true,
            due: 1,
            updated: 1,
            tries: vec!["updated".to_owned()],
            values: vec![value],
            failing: Vec::new(),
            note: "said, \"so\"".to_owned(),
            fingerprint: "ab".to_owned(),
            scenario: "cd".to_owned(),
        }
    }

    /// Read back by the reader of the crate; `sim/oracles` has DuckDB read a file of a campaign.
    #[test]
    fn what_is_written_is_read_back_with_its_types() {
        let trials = [trial(1, Some(Fixed::scaled(62_913_250, 6))), trial(2, None)];
        let bytes = trials_parquet(&["pump-update [ms]".to_owned()], &trials).expect("a file");
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).expect("a file");
        let rows: Vec<_> = reader.get_row_iter(None).expect("rows").map(|row| row.expect("a row")).collect();
        let columns = |row: usize| -> Vec<(String, Field)> {
            rows[row].get_column_iter().map(|(name, field)| (name.clone(), field.clone())).collect()
        };
        assert_eq!(rows.len(), 2);
        let first = columns(0);
        assert_eq!(first[1], ("seed".to_owned(), Field::ULong(u64::MAX)));
        assert_eq!(first[8], ("faults".to_owned(), Field::Str("sag;cut".to_owned())));
        assert_eq!((first[9].0.as_str(), first[9].1.to_string().as_str()), ("pump-update [ms]", "62.913250"));
        assert_eq!(columns(1)[9].1, Field::Null);
        assert_eq!(first[12].1, Field::Str("said, \"so\"".to_owned()));
    }
}

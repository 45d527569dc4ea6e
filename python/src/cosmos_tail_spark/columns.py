"""Columns: between the types of Spark, the columns of a plan, and the batches that come."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pyarrow
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DoubleType,
    LongType,
    StringType,
    StructType,
    TimestampType,
)

# Columns that are not those of a field of the documents.
ADDED = (
    "_operation", "_operation_lsn", "_operation_number", "_operation_time", "_previous", "_metadata", "_nulls", "_extra",
)
_TYPES: dict[type[DataType], str] = {
    BooleanType: "boolean",
    LongType: "int64",
    DoubleType: "double",
    StringType: "string",
    TimestampType: "timestamp",
}
_PLAIN = re.compile(r"[\w$-]+")


def spark_schema(stream: bytes) -> StructType:
    """The schema of an Arrow stream, as Spark has it."""
    schema = pyarrow.ipc.open_stream(stream).schema
    fields = [field.with_type(_without_dictionary(field.type)) for field in schema]
    return from_arrow_schema(pyarrow.schema(fields))


def _without_dictionary(kind: pyarrow.DataType) -> pyarrow.DataType:
    return kind.value_type if pyarrow.types.is_dictionary(kind) else kind


def schema_file(schema: StructType) -> str:
    """The columns of a schema of Spark, as a file for `--schema`.

    Raises ValueError if a column has a type that no column of cosmos-tail has.
    """
    lines = [
        f"{_path(field.name)} {_type(field.name, field.dataType)}\n"
        for field in schema.fields
        if field.name not in ADDED
    ]
    # There is always one column of the documents.
    return "".join(lines) or "id string\n"


def _path(name: str) -> str:
    if name.startswith('"'):
        # A name that would be ambiguous comes quoted already.
        return name
    return ".".join(_quoted(part) for part in name.split("."))


def _quoted(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _type(column: str, kind: DataType) -> str:
    if isinstance(kind, ArrayType):
        return f"list<{_type(column, kind.elementType)}>"
    if isinstance(kind, StructType):
        fields = (f"{_quoted(field.name)}: {_type(column, field.dataType)}" for field in kind.fields)
        return f"struct<{', '.join(fields)}>"
    name = _TYPES.get(type(kind))
    if name is None:
        raise ValueError(
            f"the column `{column}` cannot be of type {kind.simpleString()}: use boolean, bigint, double, string, timestamp, "
            f"array or struct, and `cast` in Spark; or the option `columns`, where json is a type too"
        )
    return name


def as_wanted(batches: Iterator[pyarrow.RecordBatch], schema: StructType) -> Iterator[pyarrow.RecordBatch]:
    """The wanted columns of batches, in their order, and exactly of the types that Spark expects."""
    wanted = to_arrow_schema(schema, timezone="UTC")
    for batch in batches:
        if batch.num_rows > 0:
            columns = [_column(batch, field) for field in wanted]
            yield pyarrow.RecordBatch.from_arrays(columns, schema=wanted)


def _column(batch: pyarrow.RecordBatch, field: pyarrow.Field) -> pyarrow.Array:
    at = batch.schema.get_field_index(field.name)
    if at < 0:
        raise ValueError(
            f"the plan has no column `{field.name}`: a stream that continues has the columns that it began with, so give "
            f"them with .schema() or the option `columns`"
        )
    column = batch.column(at)
    return column if column.type == field.type else column.cast(field.type)

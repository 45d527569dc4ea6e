"""Writes tables as pyarrow, DuckDB and polars do, and compares what `replay --stdout` makes of each with what is
expected. spark_formats.py has Spark do the same.

    others.py COSMOS_TAIL DIRECTORY"""

import datetime
import decimal
import json
import pathlib
import subprocess
import sys

import duckdb
import polars
import pyarrow
import pyarrow.parquet

UTC = datetime.UTC
WHEN = datetime.datetime(2026, 1, 31, 13, 5, 0, 500000)
# What every writer is given, and the JSON of each document to the byte.
ROW = {
    "id": "1",
    "total": decimal.Decimal("12.50"),
    "day": WHEN.date(),
    "at": WHEN.replace(tzinfo=UTC),
    "local": WHEN,
    "customer": {"name": "Ada", "age": None},
    "tags": ["a", None, "c"],
    "lines": [{"sku": "x", "n": 2}],
}
EXPECTED = (
    '{"id":"1","total":12.50,"day":"2026-01-31","at":"2026-01-31T13:05:00.5Z","local":"2026-01-31T13:05:00.5",'
    '"customer":{"name":"Ada"},"tags":["a",null,"c"],"lines":[{"sku":"x","n":2}]}'
)
SCHEMA = pyarrow.schema(
    [
        ("id", pyarrow.string()),
        ("total", pyarrow.decimal128(18, 2)),
        ("day", pyarrow.date32()),
        ("at", pyarrow.timestamp("us", "UTC")),
        ("local", pyarrow.timestamp("us")),
        ("customer", pyarrow.struct([("name", pyarrow.string()), ("age", pyarrow.int32())])),
        ("tags", pyarrow.list_(pyarrow.string())),
        ("lines", pyarrow.list_(pyarrow.struct([("sku", pyarrow.string()), ("n", pyarrow.int64())]))),
    ]
)


def replayed(binary, path):
    ended = subprocess.run(
        [binary, "replay", str(path), "--stdout"], check=True, capture_output=True, text=True
    )
    return ended.stdout.splitlines()


def check(binary, written):
    for path, lines in written.items():
        found = replayed(binary, path)
        assert found == lines, f"{path}:\n" + "\n".join(found) + "\ninstead of\n" + "\n".join(lines)
        for line in found:
            json.loads(line)


def check_spark(spark, binary, directory):
    """A table that Spark writes, with times of either kind."""
    query = """select '1' as id, cast('12.50' as decimal(18, 2)) as total, date'2026-01-31' as day,
        timestamp'2026-01-31 13:05:00.5Z' as at, timestamp'9999-12-31 00:00:00Z' as far,
        named_struct('name', 'Ada', 'age', cast(null as int)) as customer, array('a', null) as tags,
        map('EUR', 5L) as prices"""
    expected = (
        '{"id":"1","total":12.50,"day":"2026-01-31","at":"2026-01-31T13:05:00.5Z","far":"9999-12-31T00:00:00Z",'
        '"customer":{"name":"Ada"},"tags":["a",null],"prices":{"EUR":5}}'
    )
    for kind in ["INT96", "TIMESTAMP_MICROS"]:
        spark.conf.set("spark.sql.parquet.outputTimestampType", kind)
        path = directory / kind
        spark.sql(query).write.parquet(str(path))
        check(binary, {file: [expected] for file in path.glob("*.parquet")})


def main():
    binary, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    table = pyarrow.Table.from_pylist([ROW, {"id": "2"}], SCHEMA)
    expected = [EXPECTED, '{"id":"2"}']
    written = {}

    def write(name, expected, write_to):
        path = directory / name
        write_to(path)
        written[path] = expected

    write("pyarrow.parquet", expected, lambda path: pyarrow.parquet.write_table(table, path))
    # Only how values are encoded differs.
    words = table.set_column(0, "id", table["id"].dictionary_encode())
    write(
        "pyarrow-v2.parquet",
        expected,
        lambda path: pyarrow.parquet.write_table(
            words, path, compression="zstd", data_page_version="2.0", use_deprecated_int96_timestamps=False
        ),
    )
    large = table.set_column(0, "id", table["id"].cast(pyarrow.large_string()))
    write("pyarrow-large.parquet", expected, lambda path: pyarrow.parquet.write_table(large, path))
    # A time of 96 bits has no mark that it has no zone, and may be beyond 2262.
    old = pyarrow.table({"id": ["1"], "at": pyarrow.array([datetime.datetime(9999, 12, 31)], pyarrow.timestamp("us"))})
    write(
        "int96.parquet",
        ['{"id":"1","at":"9999-12-31T00:00:00Z"}'],
        lambda path: pyarrow.parquet.write_table(old, path, use_deprecated_int96_timestamps=True),
    )
    write("polars.parquet", expected, lambda path: polars.from_arrow(table).write_parquet(path))
    write(
        "duckdb.parquet",
        expected,
        lambda path: duckdb.from_arrow(table).write_parquet(str(path)),
    )
    write(
        "duckdb-more.parquet",
        ['{"id":"1","map":{"EUR":5},"doc":{"a": [1]},"uuid":"00000000-0000-0000-0000-000000000001","big":0.001}'],
        lambda path: duckdb.sql(
            f"""copy (select '1' as id, map {{'EUR': 5}} as map, '{{"a": [1]}}'::json as doc,
                '00000000-0000-0000-0000-000000000001'::uuid as uuid, 0.001::decimal(38, 3) as big)
                to '{path}' (format parquet)"""
        ),
    )
    write(
        "duckdb.csv",
        ['{"id":"1","total":"12.50","note":"a\\nb"}', '{"id":"2"}'],
        lambda path: duckdb.sql(
            f"""copy (from (values ('1', '12.50', E'a\\nb'), ('2', null, null)) t(id, total, note))
                to '{path}' (delimiter ';')"""
        ),
    )
    write(
        "duckdb.json",
        ['{"id":"1","n":1}', '{"id":"2","n":2}'],
        lambda path: duckdb.sql(
            f"copy (from (values ('1', 1), ('2', 2)) t(id, n)) to '{path}' (format json, array true)"
        ),
    )
    check(binary, written)
    print(f"{len(written)} tables and arrays of other programs were replayed as they are")


if __name__ == "__main__":
    main()

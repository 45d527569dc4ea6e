"""Reads the directories that exports write as tables, as they are: by the name of the directory alone."""

import json
import pathlib
import sys

import duckdb
import pandas
import polars
import pyarrow.dataset
import pyarrow.parquet

NEW = ["customer.phone", "score", "tags"]


def check_live(directory):
    """A directory to which an export adds: each reader sees whole files, and no other."""
    assert not list(directory.glob("*.open")), "open parts are not in the table"
    counts = [
        polars.read_parquet(f"{directory}/").height,
        polars.scan_parquet(directory).collect().height,
        len(pandas.read_parquet(f"{directory}/")),
        pyarrow.dataset.dataset(directory).count_rows(),
        duckdb.sql(f"SELECT count(*) FROM '{directory}/*.parquet'").fetchall()[0][0],
    ]
    # Files were added between two of them.
    assert counts == sorted(counts) and counts[0] > 0, counts
    return counts[-1]


def count_lines(directory):
    return polars.scan_ndjson(directory, schema={"id": polars.String}).collect().height


def check_texts(root):
    """The same for the other formats."""
    lines = count_lines(root / "jsonl")
    ids = pyarrow.schema([("id", pyarrow.string())])
    dataset = pyarrow.dataset.dataset(root / "jsonl", format="json", schema=ids)
    # Its own reader of JSON takes no document whose fields change their types.
    assert sorted(dataset.files) == sorted(map(str, (root / "jsonl").iterdir()))
    rows = polars.scan_csv(root / "raw-csv", infer_schema=False).collect().height
    assert rows == lines, (rows, lines)
    return lines


def union(frame):
    """What a reader has of the documents that were written before and after fields were added."""
    old, new = frame
    assert len(old) == 20 and all(values == (None, None, None) for values in old), old
    phones = sorted(phone for phone, _, _ in new)
    assert phones == sorted(f"+{number}" for number in range(20)), phones
    assert sorted(score for _, score, _ in new) == [number / 2 for number in range(20)], new
    assert all(list(tags) == ["a", "b"] for _, _, tags in new), new


def of_kinds(rows):
    """The rows of each kind, by their ids."""
    rows = list(rows)
    return [[row[1:] for row in rows if row[0].startswith(f"widened-{kind}")] for kind in ("old", "new")]


def check_widened(directory):
    files = sorted(directory.glob("*.parquet"))
    columns = {tuple(polars.read_parquet_schema(path)) for path in files}
    [few, many] = sorted(columns, key=len)
    # New columns come after the others, and before what has none.
    assert many == (*few[:-2], *NEW, *few[-2:]), (few, many)
    quoted = 'id, "customer.phone", score, tags'
    query = f"SELECT {quoted} FROM read_parquet('{directory}/*.parquet', union_by_name = true)"
    union(of_kinds(duckdb.sql(query).fetchall()))
    schema = polars.read_parquet_schema(next(path for path in files if len(polars.read_parquet_schema(path)) == len(many)))
    frame = polars.scan_parquet(f"{directory}/", schema=schema, missing_columns="insert")
    union(of_kinds(frame.select("id", *NEW).collect().rows()))
    frame = polars.concat([polars.read_parquet(path) for path in files], how="diagonal")
    union(of_kinds(frame.select("id", *NEW).rows()))
    schema = pyarrow.unify_schemas([pyarrow.parquet.read_schema(path) for path in files])
    table = pyarrow.dataset.dataset(directory, schema=schema).to_table(columns=["id", *NEW])
    union(of_kinds(zip(*(column.to_pylist() for column in table.columns))))


def check_widened_csv(directory):
    query = f"""SELECT id, "customer.phone", score, tags
        FROM read_csv('{directory}/*.csv', union_by_name = true, all_varchar = true)"""
    rows = duckdb.sql(query).fetchall()
    value = lambda text: None if text is None else json.loads(text)
    union(of_kinds((name, phone, value(score), value(tags)) for name, phone, score, tags in rows))


def check_with_spark(spark, root):
    """What only Spark shows: its own reading of directories, and of columns that were added."""
    directory = str(root / "widened")
    frame = spark.read.option("mergeSchema", "true").parquet(directory)
    rows = frame.select("id", "`customer.phone`", "score", "tags").collect()
    union(of_kinds(map(tuple, rows)))
    lines = spark.read.text(str(root / "jsonl")).count()
    assert lines == count_lines(root / "jsonl")
    assert spark.read.option("header", "true").csv(str(root / "raw-csv")).columns[0] == "_operation"


def main():
    what, root = sys.argv[1], pathlib.Path(sys.argv[2])
    if what == "live":
        rows = check_live(root / "live")
        print(f"a table of {rows} rows is read while it is written; {check_texts(root)} lines and rows of text")
    else:
        check_widened(root / "widened")
        check_widened_csv(root / "widened-csv")
        print("columns that were added are null in earlier files")


if __name__ == "__main__":
    main()

"""Reads all Parquet files of the exports in a directory with Spark, and compares them with pyarrow: the number of
values of each column, and the latest version of each document. Then it writes a table for `replay`.

    spark_formats.py DIRECTORY COSMOS_TAIL"""

import pathlib
import sys

import duckdb
import others
import polars
import pyarrow.parquet
import tables
from pyspark.sql import SparkSession, Window, functions


def quoted(name):
    return "`" + name.replace("`", "``") + "`"


def check(spark, directory):
    # The directory itself, which is a table.
    frame = spark.read.parquet(str(directory))
    table = pyarrow.parquet.read_table(sorted(directory.glob("*.parquet")))
    assert frame.columns == table.column_names, (frame.columns, table.column_names)
    numbers = frame.agg(
        functions.count("*"), *(functions.count(functions.col(quoted(name))) for name in frame.columns)
    ).first()
    expected = [len(table), *(len(table) - column.null_count for column in table.columns)]
    assert list(numbers) == expected, (directory, list(numbers), expected)
    return len(table)


def check_latest(spark, directory):
    """The recipes for the latest version of each document find the same."""
    pattern = str(directory / "*.parquet")
    window = Window.partitionBy("id").orderBy(
        functions.desc("_operation_lsn"), functions.desc("_operation_number")
    )
    ranked = spark.read.parquet(pattern).withColumn("rank", functions.row_number().over(window))
    by_spark = {(row["id"], row["version"]) for row in ranked.where("rank = 1").collect()}
    by_duckdb = set(
        duckdb.sql(
            f"""SELECT id, version FROM '{pattern}' QUALIFY row_number() OVER (
                PARTITION BY id ORDER BY _operation_lsn DESC, _operation_number DESC) = 1"""
        ).fetchall()
    )
    ordered = polars.read_parquet(pattern).sort("_operation_lsn", "_operation_number")
    by_polars = set(ordered.unique(["id"], keep="last").select("id", "version").rows())
    table = pyarrow.parquet.read_table(sorted(directory.glob("*.parquet")))
    table = table.sort_by([("_operation_lsn", "ascending"), ("_operation_number", "ascending")])
    by_pyarrow = dict(zip(table["id"].to_pylist(), table["version"].to_pylist()))
    assert by_spark == by_duckdb == by_polars == set(by_pyarrow.items()), directory
    assert len(by_spark) < len(table), "no document has several versions"
    return by_spark


def main():
    root = pathlib.Path(sys.argv[1])
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    plain = [path for path in sorted(root.iterdir()) if path.name not in ("widened", "live")]
    rows = sum(check(spark, path) for path in plain if list(path.glob("*.parquet")))
    tables.check_with_spark(spark, root)
    versions = root / "versions"
    latest = check_latest(spark, versions)
    written = {version for name, version in latest if name.startswith("version-")}
    assert written == {3}, written
    others.check_spark(spark, sys.argv[2], root / "others" / "spark")
    print(f"Spark {spark.version} reads {rows} rows of Parquet as pyarrow does, and writes some that are replayed")


if __name__ == "__main__":
    sys.exit(main())

"""Runs the recipes of docs/snapshot.md in the current directory, which has the exports `lines`, `csv` and `table`, and
compares the tables that they give with the container, which is in the environment.

    snapshot_table.py PAGE"""

import json
import os
import pathlib
import re
import shutil
import sys

import duckdb
from azure.cosmos import CosmosClient


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.M | re.S)


def expected():
    client = CosmosClient(os.environ["AZURE_COSMOS_ENDPOINT"], os.environ["AZURE_COSMOS_KEY"])
    database = client.get_database_client(os.environ["AZURE_COSMOS_DATABASE"])
    container = database.get_container_client(os.environ["AZURE_COSMOS_CONTAINER"])
    query = "SELECT c.id, c.customerId, c._etag FROM c"
    found = container.query_items(query, enable_cross_partition_query=True)
    return {(item["customerId"], item["id"], item["_etag"]) for item in found}


def compare(name, rows, wanted):
    rows = list(rows)
    found = set(rows)
    assert len(rows) == len(found), f"{name}: a document is there twice"
    assert found == wanted, f"{name}: {sorted(found ^ wanted)[:4]}"
    print(f"{name}: {len(found)} documents")


def main():
    page = pathlib.Path(sys.argv[1])
    wanted = expected()
    columns, lines = blocks(page, "sql")
    key = "customerId, id, _etag"
    query = columns.strip().rstrip(";")
    compare("DuckDB, Parquet", duckdb.sql(f"SELECT {key} FROM ({query})").fetchall(), wanted)
    assert "'table/*.parquet'" in query
    for_csv = query.replace("'table/*.parquet'", "read_csv('csv/*.csv', nullstr = '')")
    compare("DuckDB, CSV", duckdb.sql(f"SELECT {key} FROM ({for_csv})").fetchall(), wanted)
    documents = [json.loads(row[0]) for row in duckdb.sql(lines).fetchall()]
    compare("DuckDB, JSON lines", ((one["customerId"], one["id"], one["_etag"]) for one in documents), wanted)
    by_polars, by_spark = blocks(page, "python")
    names = {}
    exec(by_polars, names)
    frame = names["table"].select("customerId", "id", "_etag").collect()
    compare("polars, Parquet", frame.rows(), wanted)
    for_csv = by_polars.replace('scan_parquet("table/*.parquet")', 'scan_csv("csv/*.csv", infer_schema_length=None)')
    assert for_csv != by_polars
    exec(for_csv, names)
    compare("polars, CSV", names["table"].select("customerId", "id", "_etag").collect().rows(), wanted)
    if shutil.which("java") is None:
        print("there is no Java here, so Spark has read nothing")
        return
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    names = {"spark": spark}
    exec(by_spark, names)
    rows = names["table"].select("customerId", "id", "_etag").collect()
    compare("Spark, Parquet", map(tuple, rows), wanted)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Reads the feed of the embedded account with cosmosdb-spark-datasource, in Spark.

    cosmos-tail demo --writes-per-second 0 > demo.env &
    ... wait for demo.env, then export what it says ...
    python spark_source.py work

Reads the documents of the demo container, its change feed from the beginning, at a time and in
pieces with a checkpoint, a stream of its changes, and all versions and deletes of a container of
its own. What the official Python client finds by a query must come each time.

Needs Java 17, requirements.txt, and AZURE_COSMOS_ENDPOINT, _KEY, _DATABASE and _CONTAINER.
"""

import argparse
import datetime
import json
import os
import sys
import tempfile
from collections import Counter

# The workers of Spark need the packages of this Python.
os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")

from azure.cosmos import CosmosClient  # noqa: E402
from cosmosdb_datasource import CosmosDBDataSource, commit_batch_checkpoint  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402


def check(what, expected, actual):
    if expected != actual:
        sys.exit(f"{what}: expected {expected!r:.300}, got {actual!r:.300}")


def ids(frame):
    """The ids of a frame's rows, in order; each once."""
    found = sorted(row.id for row in frame.select("id").collect())
    check("ids that came twice", [], [name for name, count in Counter(found).items() if count > 1])
    return found


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("work", help="a directory for checkpoints")
    work = arguments.parse_args().work

    endpoint, key = os.environ["AZURE_COSMOS_ENDPOINT"], os.environ["AZURE_COSMOS_KEY"]
    database = CosmosClient(endpoint, key).get_database_client(os.environ["AZURE_COSMOS_DATABASE"])
    container = database.get_container_client(os.environ["AZURE_COSMOS_CONTAINER"])
    query = "SELECT VALUE c.id FROM c"
    expected = sorted(container.query_items(query, enable_cross_partition_query=True))

    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    spark.dataSource.register(CosmosDBDataSource)
    connection = {
        "endpoint": endpoint,
        "database": database.id,
        "auth_type": "key",
        "account_key": key,
    }

    def read(of=container, **options):
        return spark.read.format("cosmosdb").options(**connection, container=of.id, **options).load()

    check("the documents", expected, ids(read()))
    latest = {"change_feed_mode": "LatestVersion"}
    check("the feed", expected, ids(read(**latest)))
    for hours, found in [(-1, expected), (1, [])]:
        time = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=hours)
        check(f"the feed from {time}", found, ids(read(**latest, start_from=time.isoformat())))

    pieces, count = [], 0
    checkpoint = os.path.join(work, "pieces")
    while True:
        options = {"batch_checkpoint_location": checkpoint, "max_items_per_trigger": "150"}
        pieces += ids(read(**latest, **options))
        count += 1
        if commit_batch_checkpoint(checkpoint):
            break
    check("the feed in pieces", expected, sorted(pieces))
    if count < 2:
        sys.exit("the feed came in one piece")

    stream = spark.readStream.format("cosmosdb")
    stream = stream.options(**connection, container=container.id, **latest).load()
    streamed = []
    (
        stream.writeStream.foreachBatch(lambda batch, _: streamed.extend(ids(batch)))
        .option("checkpointLocation", os.path.join(work, "stream"))
        .trigger(availableNow=True)
        .start()
        .awaitTermination()
    )
    check("the stream", expected, sorted(streamed))

    versions = database.create_container_if_not_exists(
        "spark", {"paths": ["/group"], "kind": "Hash"},
        change_feed_policy={"retentionDuration": 10},
    )
    checkpoint = os.path.join(work, "versions")
    options = {"change_feed_mode": "AllVersionsAndDeletes", "batch_checkpoint_location": checkpoint}
    check("versions before now", 0, read(versions, **options).count())
    commit_batch_checkpoint(checkpoint)
    for number in range(20):
        versions.create_item({"id": f"{number}", "group": f"{number % 3}", "number": number})
    for number in range(0, 20, 2):
        versions.upsert_item({"id": f"{number}", "group": f"{number % 3}", "number": -number})
    for number in range(0, 20, 5):
        versions.delete_item(f"{number}", f"{number % 3}")
    operations = Counter(row.operation for row in read(versions, **options).collect())
    check("operations", {"create": 20, "replace": 10, "delete": 4}, dict(operations))
    database.delete_container(versions)

    print(f"{len(expected)} documents, in {count} pieces, and {sum(operations.values())} versions")
    spark.stop()


if __name__ == "__main__":
    main()

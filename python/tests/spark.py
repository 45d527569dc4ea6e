#!/usr/bin/env python3
"""The package in Spark, against the embedded account.

    python/test            in one process of Spark
    python/test --full     in a cluster of two workers, with more documents

What the official Python client writes must come, and come once: as a batch, with a schema, as a stream that is stopped,
continued and repeated while a partition splits, and as all versions with deletes.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time
from collections import Counter

# The workers of Spark need the packages of this Python.
os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")

from azure.cosmos import CosmosClient  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402

from cosmos_tail_spark import CosmosTailDataSource  # noqa: E402


def check(what, expected, actual):
    if expected != actual:
        sys.exit(f"{what}: expected {expected!r:.400}, got {actual!r:.400}")


def check_error(what, run, *wanted):
    try:
        run()
    except Exception as error:  # Whatever Spark makes of it.
        text = str(error)
        lacking = [part for part in wanted if part not in text]
        if lacking:
            sys.exit(f"{what}: the error does not say {lacking}: {text:.4000}")
        return
    sys.exit(f"{what}: there was no error")


class Test:
    def __init__(self, spark, work, database, commands):
        self.spark, self.work, self.database, self.commands = spark, work, database, commands
        self.options = {
            "endpoint": os.environ["AZURE_COSMOS_ENDPOINT"],
            "account_key": os.environ["AZURE_COSMOS_KEY"],
            "database": database.id,
        }
        # Workers have what the options say, and nothing of this process.
        for name in list(os.environ):
            if name.startswith("AZURE_COSMOS_"):
                del os.environ[name]

    def read(self, container, **options):
        return self.spark.read.format("cosmos_tail").options(**self.options, container=container, **options)

    def stream(self, container, name, seen, schema=None, **options):
        """Reads what has come to its end. `seen` takes each batch of rows with its number."""
        reader = self.spark.readStream.format("cosmos_tail")
        reader = reader.options(**self.options, container=container, **options)
        frame = (reader.schema(schema) if schema else reader).load()
        query = (
            frame.writeStream.foreachBatch(lambda batch, number: seen(batch.collect(), number))
            .option("checkpointLocation", str(self.work / name))
            .trigger(availableNow=True)
            .start()
        )
        query.awaitTermination()

    def documents(self):
        container = self.database.get_container_client("orders")
        expected = {item["id"]: item for item in container.read_all_items()}
        frame = self.read("orders").load()
        rows = frame.collect()
        check("ids", sorted(expected), sorted(row["id"] for row in rows))
        for row in rows:
            item = expected[row["id"]]
            check("a total", float(item["total"]), float(row["total"]))
            check("_etag", item["_etag"], row["_etag"])
        columns = "id string, total double, _operation_lsn bigint"
        frame = self.read("orders", partitions=5).schema(columns).load()
        check("columns", ["id", "total", "_operation_lsn"], frame.columns)
        check("partitions", 5, frame.rdd.getNumPartitions())
        check("rows by a schema", len(expected), frame.where("total is not null and _operation_lsn > 0").count())
        total = sum(float(item["total"]) for item in expected.values())
        difference = abs(frame.selectExpr("sum(total)").first()[0] - total)
        check("the sum", True, difference < 1e-6 * total)
        query = self.read("orders", query="SELECT c.id FROM c", columns="id").load()
        check("a query", len(expected), query.select("id").distinct().count())
        streamed = []
        self.stream("orders", "orders", lambda rows, _number: streamed.extend(row["id"] for row in rows))
        check("a stream with columns that are inferred", sorted(expected), sorted(streamed))
        extra = self.read("orders").schema("id string, _extra string").load().first()
        check("what has no column", True, "total" in json.loads(extra["_extra"]))
        return len(expected)

    def latest(self):
        """A stream of the latest versions, over a split."""
        container = self.database.create_container("latest", {"paths": ["/pk"], "kind": "Hash"})
        found = []

        def seen(rows, _number):
            found.extend((row["id"], row["version"]) for row in rows)

        def write(numbers, version):
            for number in numbers:
                container.upsert_item({"id": f"{number}", "pk": f"{number % 7}", "version": version})

        schema = "id string, version bigint"
        write(range(40), 1)
        self.stream("latest", "latest", seen, schema)
        check("the first versions", sorted((f"{n}", 1) for n in range(40)), sorted(found))
        write(range(30, 50), 2)
        self.stream("latest", "latest", seen, schema)
        self.commands("split")
        write(range(45, 60), 3)
        self.stream("latest", "latest", seen, schema)
        # Nothing is new.
        self.stream("latest", "latest", seen, schema)
        expected = [(n, 1) for n in range(40)] + [(n, 2) for n in range(30, 50)] + [(n, 3) for n in range(45, 60)]
        check("the stream", sorted((f"{n}", version) for n, version in expected), sorted(found))

    def versions(self):
        """A stream of all versions, one batch of which is repeated."""
        container = self.database.create_container(
            "versions", {"paths": ["/pk"], "kind": "Hash"}, change_feed_policy={"retentionDuration": 10}
        )
        batches = []

        def seen(rows, number):
            batches.append((number, sorted((row["_operation"], row["id"], row["version"]) for row in rows)))
            if fails:
                raise RuntimeError("this batch is repeated")

        fails = False
        schema = "id string, version bigint, _operation string"
        options = {"schema": schema, "mode": "all", "partitions": 3}
        self.stream("versions", "versions", seen, **options)
        check("before the stream began", [], [rows for _, rows in batches if rows])
        for number in range(20):
            container.create_item({"id": f"{number}", "pk": f"{number % 3}", "version": 1})
        fails = True
        check_error("a batch that fails", lambda: self.stream("versions", "versions", seen, **options), "is repeated")
        failed = batches.pop()
        for number in range(0, 20, 2):
            container.upsert_item({"id": f"{number}", "pk": f"{number % 3}", "version": 2})
        for number in range(0, 20, 5):
            container.delete_item(f"{number}", f"{number % 3}")
        fails = False
        self.stream("versions", "versions", seen, **options)
        repeated = next(rows for number, rows in batches if number == failed[0])
        check("the batch that was repeated", failed[1], repeated)
        operations = Counter(operation for _, rows in batches for operation, _, _ in rows)
        check("operations", {"create": 20, "replace": 10, "delete": 4}, dict(operations))
        return sum(operations.values())

    def errors(self):
        wrong = {**self.options, "account_key": "d3Jvbmc=", "container": "orders"}
        read = self.spark.read.format("cosmos_tail")
        check_error("a wrong key", lambda: read.options(**wrong).load(), "exit code", "error: ", "hint: ")
        missing = lambda: self.read("none").load()  # noqa: E731
        check_error("no container", missing, "none", "error: ")
        check_error("an unknown option", lambda: self.read("orders", colums="id").load(), "no option `colums`")
        dated = self.read("orders").schema("id string, day date").load()
        check_error("a type", dated.collect, "cannot be of type date")
        nowhere = lambda: self.read("orders", binary="/nowhere/cosmos-tail").load()  # noqa: E731
        check_error("no program", nowhere, "is not a program here", "spark.executorEnv.COSMOS_TAIL", "PATH")
        # On a worker: the plan was made by a program that the driver has.
        real, local = os.environ["COSMOS_TAIL"], self.work / "gone"
        local.symlink_to(real)
        frame = self.read("orders", binary=str(local)).schema("id string").load()
        frame.rdd.getNumPartitions()
        local.unlink()
        check_error("no program on a worker", frame.collect, "is not a program here", "looked for")
        # Its share fails.
        plan = self.work / "broken.json"
        plan.write_text('{"format":"cosmos-tail plan","version":9,"plan":{"ranges":[{}]}}')
        broken = self.read("orders", plan=str(plan)).schema("id string").load()
        check_error("a newer plan", broken.collect, "exit code 2", "plan format 9 is newer", "hint: ")

    def cancelled(self):
        """A job that is cancelled leaves no process behind."""
        stuck = self.work / "stuck"
        real = os.environ["COSMOS_TAIL"]
        stuck.write_text(
            "#!/bin/sh\n"
            f'case "$1" in export) exec sleep 3600.{os.getpid()};; *) exec {real} "$@";; esac\n'
        )
        stuck.chmod(0o755)
        frame = self.read("orders", binary=str(stuck), partitions=2).schema("id string").load()

        def running():
            mark = f"3600.{os.getpid()}".encode()
            found = 0
            for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    found += mark in path.read_bytes()
                except OSError:
                    pass
            return found

        import threading
        job = threading.Thread(target=lambda: self.collect_until_cancelled(frame), daemon=True)
        job.start()
        wait_until("the shares are being read", lambda: running() == 2)
        self.spark.sparkContext.cancelAllJobs()
        job.join(60)
        wait_until("no process is left", lambda: running() == 0)

    @staticmethod
    def collect_until_cancelled(frame):
        try:
            frame.collect()
        except Exception:
            return
        sys.exit("a job that was cancelled has ended well")


def wait_until(what, is_so):
    end = time.monotonic() + 60
    while not is_so():
        if time.monotonic() > end:
            sys.exit(f"it has not happened within a minute that {what}")
        time.sleep(0.05)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("work", type=pathlib.Path, help="a directory for checkpoints")
    arguments.add_argument("commands", help="where the demo account takes commands")
    arguments.add_argument("--master", default="local[2]")
    arguments = arguments.parse_args()

    endpoint, key = os.environ["AZURE_COSMOS_ENDPOINT"], os.environ["AZURE_COSMOS_KEY"]
    database = CosmosClient(endpoint, key).get_database_client(os.environ["AZURE_COSMOS_DATABASE"])
    log = arguments.work.parent / "demo.log"

    def commands(text):
        before = len(log.read_bytes())
        with open(arguments.commands, "w") as demo:
            demo.write(f"{text}\n")
        wait_until(f"the demo account has done `{text}`", lambda: len(log.read_bytes()) > before)

    spark = (
        SparkSession.builder.master(arguments.master)
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.task.maxFailures", "1")
        .config("spark.executorEnv.COSMOS_TAIL", os.environ["COSMOS_TAIL"])
        .config("spark.executorEnv.PYTHONPATH", os.environ["PYTHONPATH"])
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("OFF")
    spark.dataSource.register(CosmosTailDataSource)
    test = Test(spark, arguments.work, database, commands)
    documents = test.documents()
    test.latest()
    versions = test.versions()
    test.errors()
    test.cancelled()
    print(f"{documents} documents and {versions} versions, each once, by {arguments.master}")
    spark.stop()


if __name__ == "__main__":
    main()

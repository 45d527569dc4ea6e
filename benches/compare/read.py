"""Writes the change feed of a container as JSON lines with the official Python SDK: a file for each
feed range, all of them at the same time.

    read.py asynchronous|threads DIRECTORY

The account comes from AZURE_COSMOS_ENDPOINT, _KEY, _DATABASE and _CONTAINER, and a certificate that is to
be trusted from the file that COSMOS_TAIL_BENCH_CA names.
"""

import asyncio
import concurrent.futures
import json
import os
import pathlib
import sys

ENDPOINT, KEY, DATABASE, CONTAINER = (
    os.environ[f"AZURE_COSMOS_{name}"] for name in ("ENDPOINT", "KEY", "DATABASE", "CONTAINER")
)
CERTIFICATE = os.environ.get("COSMOS_TAIL_BENCH_CA")
TRUST = {"connection_verify": CERTIFICATE} if CERTIFICATE else {}


async def asynchronous(directory):
    from azure.cosmos.aio import CosmosClient

    # On the loopback interface the SDK verifies no certificate all the same: with an `ssl_config` it
    # would, but would insist on a certificate of the client's too.
    async with CosmosClient(ENDPOINT, KEY, **TRUST) as client:
        container = client.get_database_client(DATABASE).get_container_client(CONTAINER)

        async def read(number, feed_range):
            with open(directory / f"{number:05}.jsonl", "w", encoding="utf-8") as out:
                changes = container.query_items_change_feed(
                    feed_range=feed_range, start_time="Beginning", max_item_count=1000
                )
                async for item in changes:
                    out.write(json.dumps(item, ensure_ascii=False) + "\n")

        ranges = [one async for one in container.read_feed_ranges()]
        await asyncio.gather(*(read(number, one) for number, one in enumerate(ranges)))


def threads(directory):
    from azure.cosmos import CosmosClient, SSLConfiguration

    # Without an `ssl_config` the SDK verifies nothing on the loopback interface, and warns of that at
    # each request.
    trust = TRUST and {**TRUST, "ssl_config": SSLConfiguration()}
    client = CosmosClient(ENDPOINT, KEY, **trust)
    container = client.get_database_client(DATABASE).get_container_client(CONTAINER)

    def read(number, feed_range):
        with open(directory / f"{number:05}.jsonl", "w", encoding="utf-8") as out:
            changes = container.query_items_change_feed(
                feed_range=feed_range, start_time="Beginning", max_item_count=1000
            )
            for item in changes:
                out.write(json.dumps(item, ensure_ascii=False) + "\n")

    ranges = list(container.read_feed_ranges())
    with concurrent.futures.ThreadPoolExecutor(max_workers=len(ranges)) as pool:
        list(pool.map(read, range(len(ranges)), ranges))


if __name__ == "__main__":
    mode, directory = sys.argv[1:]
    directory = pathlib.Path(directory)
    if mode == "threads":
        threads(directory)
    else:
        asyncio.run(asynchronous(directory))

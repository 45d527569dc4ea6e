"""Upserts the documents of a file of JSON lines with the official asynchronous Python SDK.

    write.py CONCURRENCY FILE

The account comes from AZURE_COSMOS_ENDPOINT, _KEY, _DATABASE and _CONTAINER.
"""

import asyncio
import json
import os
import sys

from azure.cosmos.aio import CosmosClient

ENDPOINT, KEY, DATABASE, CONTAINER = (
    os.environ[f"AZURE_COSMOS_{name}"] for name in ("ENDPOINT", "KEY", "DATABASE", "CONTAINER")
)


async def main(concurrency, path):
    async with CosmosClient(ENDPOINT, KEY) as client:
        container = client.get_database_client(DATABASE).get_container_client(CONTAINER)
        with open(path, encoding="utf-8") as lines:

            async def work():
                for line in lines:
                    await container.upsert_item(json.loads(line))

            await asyncio.gather(*(work() for _ in range(concurrency)))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))

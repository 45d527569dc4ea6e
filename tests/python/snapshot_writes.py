"""Creates, replaces and deletes documents while exports run: the account is in the environment. FILE is created once
some are written.

    snapshot_writes.py FILE"""

import os
import pathlib
import random
import sys

from azure.cosmos import CosmosClient


def main():
    client = CosmosClient(os.environ["AZURE_COSMOS_ENDPOINT"], os.environ["AZURE_COSMOS_KEY"])
    database = client.get_database_client(os.environ["AZURE_COSMOS_DATABASE"])
    container = database.get_container_client(os.environ["AZURE_COSMOS_CONTAINER"])
    chosen = random.Random(5)
    documents = [
        (item["id"], item["customerId"])
        for item in container.query_items("SELECT c.id, c.customerId FROM c", enable_cross_partition_query=True)
    ]
    living = set(documents)
    for number in range(600):
        key = chosen.choice(documents)
        if key in living and chosen.random() < 0.5:
            container.delete_item(key[0], partition_key=key[1])
            living.remove(key)
        else:
            container.upsert_item({"id": key[0], "customerId": key[1], "version": number})
            living.add(key)
        if number == 20:
            pathlib.Path(sys.argv[1]).touch()
    print(len(living), "documents")


if __name__ == "__main__":
    sys.exit(main())

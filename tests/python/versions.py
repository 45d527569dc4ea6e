"""Writes three versions of twenty documents within one second, if the clock allows it: the account is in the environment."""

import os
import sys

from azure.cosmos import CosmosClient


def main():
    client = CosmosClient(os.environ["AZURE_COSMOS_ENDPOINT"], os.environ["AZURE_COSMOS_KEY"])
    database = client.get_database_client(os.environ["AZURE_COSMOS_DATABASE"])
    container = database.get_container_client(os.environ["AZURE_COSMOS_CONTAINER"])
    for number in range(20):
        document = {"id": f"version-{number}", "customerId": "c-versions", "version": int(sys.argv[1])}
        container.upsert_item(document)


if __name__ == "__main__":
    sys.exit(main())

"""Writes documents to the embedded account, before and after a field was added to them."""

import os
import sys

from azure.cosmos import CosmosClient, PartitionKey

after = sys.argv[1] == "after"
client = CosmosClient(os.environ["AZURE_COSMOS_ENDPOINT"], os.environ["AZURE_COSMOS_KEY"])
database = client.get_database_client(os.environ["AZURE_COSMOS_DATABASE"])
container = database.create_container_if_not_exists("widened", PartitionKey("/customerId"))
for number in range(20):
    customer = {"name": f"name {number}"}
    document = {"customerId": f"widened-{number}", "customer": customer, "level": None}
    document["id"] = f"widened-{'new' if after else 'old'}-{number}"
    if after:
        customer["phone"] = f"+{number}"
        document |= {"score": number / 2, "tags": ["a", "b"]}
    container.upsert_item(document)

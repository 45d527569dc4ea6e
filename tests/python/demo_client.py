#!/usr/bin/env python3
"""Changes the demo container through the official Python client, and says what is then in it.

    cosmos-tail demo --writes-per-second 0 > demo.env &
    ... wait for demo.env, then export what it says ...
    python demo_client.py documents.jsonl

Creates, replaces, upserts, patches and deletes documents whose ids begin with `py-`, some of them
in transactional batches, over many partition keys. Reads them back one by one, by query, by the
feed of items and by the change feed, and checks that all four agree with what was written; also by
their links, by the change feed from a time, and by that of all versions and deletes. Then
writes the documents as the service returns them, one JSON object a line, ordered by id, so that an
export of the same container can be compared with them.

Needs `pip install azure-cosmos` and AZURE_COSMOS_ENDPOINT, _KEY, _DATABASE and _CONTAINER.
"""

import argparse
import datetime
import json
import os
import random
import sys

from azure.cosmos import CosmosClient, PartitionKey, exceptions

PREFIX = "py-"
SYSTEM = {"_rid", "_self", "_etag", "_ts", "_attachments", "_lsn"}
TEXTS = [
    "",
    "plain",
    'quote " and backslash \\ and slash /',
    "line\nbreak\ttab",
    "日本語 テスト",
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "\u202eright to left\u202c",
    "e\u0301 ≠ é",
    "\u2028\u2029",
]
NUMBERS = [0, -1, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1, 0.1, -273.15, 5e-324, 1.7976931348623157e308]
# What clients have to escape in a path, and the service in a header.
SPECIAL_IDS = ["py-with space", "py-ключ", "py-🦆", "py-a+b%20c", "py-quote'\"", "py-日本 語"]


def document(chance, item_id, customer, revision):
    """A document with fields of every type."""
    return {
        "id": item_id,
        "customerId": customer,
        "source": "python",
        "revision": revision,
        "text": chance.choice(TEXTS),
        "number": chance.choice(NUMBERS),
        "flag": chance.random() < 0.5,
        "nothing": None,
        "empty": {},
        "nested": {"list": [1, "two", [3.5, {"深い": chance.choice(TEXTS)}]], "": "the empty name"},
        "padding": "x" * chance.choice([0, 10, 100, 5_000]),
    }


def user_fields(item):
    """The item without what the service added."""
    return {name: value for name, value in item.items() if name not in SYSTEM}


def change(container, count):
    """Makes the changes. Returns what must be in the container, by id."""
    chance = random.Random(20261124)
    expected = {}
    ids = [f"{PREFIX}{number:05}" for number in range(count)] + SPECIAL_IDS
    for number, item_id in enumerate(ids):
        item = document(chance, item_id, f"py-customer-{number % 37}", 0)
        container.create_item(item)
        expected[item_id] = item

    for number, item_id in enumerate(ids):
        customer = expected[item_id]["customerId"]
        revised = document(chance, item_id, customer, 1)
        if number % 3 == 0:
            container.replace_item(item_id, revised)
            expected[item_id] = revised
        elif number % 7 == 0:
            container.upsert_item(revised)
            expected[item_id] = revised
        elif number % 11 == 0:
            container.patch_item(
                item_id, customer, [{"op": "set", "path": "/flag", "value": "patched"}]
            )
            expected[item_id]["flag"] = "patched"
        if number % 5 == 1:
            container.delete_item(item_id, customer)
            del expected[item_id]

    for batch in range(5):
        customer = f"py-batch-{batch}"
        items = [document(chance, f"{customer}-{n}", customer, 0) for n in range(8)]
        operations = [("create", (item,)) for item in items]
        operations += [("delete", (items[0]["id"],))]
        container.execute_item_batch(operations, partition_key=customer)
        expected.update((item["id"], item) for item in items[1:])

    # A document that is deleted and created again is a new one, at the end of the feed.
    again = document(chance, ids[1], expected.get(ids[1], {}).get("customerId", "py-again"), 2)
    container.upsert_item(again)
    expected[ids[1]] = again
    return expected


def compare(way, items, expected):
    """Fails unless these are the expected documents, each once. Returns them by id."""
    found = {}
    for item in items:
        if item["id"].startswith(PREFIX):
            if item["id"] in found:
                sys.exit(f"{way}: {item['id']} came twice")
            # Only the change feed has it.
            if ("_lsn" in item) != way.startswith("change feed"):
                sys.exit(f"{way}: {item['id']} has the wrong system properties: {item!r}")
            item.pop("_lsn", None)
            found[item["id"]] = item
    for item_id in sorted(expected.keys() | found.keys()):
        want, have = expected.get(item_id), found.get(item_id)
        if have is None or want is None or user_fields(have) != want:
            sys.exit(f"{way}: {item_id} is {have!r}, not {want!r}")
    return found


def read_back(container, expected):
    """Reads in every way that the client has. Returns the documents by id."""
    by_point_read = [
        container.read_item(item["id"], item["customerId"]) for item in expected.values()
    ]
    query = "SELECT * FROM c WHERE STARTSWITH(c.id, @prefix)"
    parameters = [{"name": "@prefix", "value": PREFIX}]
    by_query = container.query_items(
        query, parameters=parameters, enable_cross_partition_query=True, max_item_count=50
    )
    by_range = [
        item
        for feed_range in container.read_feed_ranges()
        for item in container.query_items_change_feed(
            start_time="Beginning", feed_range=feed_range, max_item_count=25
        )
    ]
    ways = {
        "point reads": by_point_read,
        "query": by_query,
        "feed of items": container.read_all_items(max_item_count=70),
        "change feed": container.query_items_change_feed(start_time="Beginning", max_item_count=90),
        "change feed by range": by_range,
    }
    found = [compare(way, items, expected) for way, items in ways.items()]
    for way, items in zip(ways, found):
        if items != found[0]:
            sys.exit(f"{way} and point reads differ in what the service added")
    return found[0]


def by_link(container, expected):
    """Reads and replaces an item by its link, which has resource ids."""
    item = next(iter(expected.values()))
    found = container.read_item(item["id"], item["customerId"])
    if container.read_item(found, item["customerId"]) != found:
        sys.exit(f"{found['_self']} is not {item['id']}")


def feed_at_a_time(container, expected):
    """The change feed from a time: all of it from an hour ago, nothing from in an hour."""
    now = datetime.datetime.now(datetime.timezone.utc)
    hour = datetime.timedelta(hours=1)
    compare("feed since an hour", container.query_items_change_feed(start_time=now - hour), expected)
    compare("feed in an hour", container.query_items_change_feed(start_time=now + hour), {})


def all_versions(database):
    """All versions and deletes of a container of its own, from now."""
    container = database.create_container(
        "py-versions",
        PartitionKey("/group"),
        change_feed_policy={"retentionDuration": 10},
    )
    mode = "AllVersionsAndDeletes"
    before = list(container.query_items_change_feed(mode=mode))
    token = container.client_connection.last_response_headers["etag"]
    made = []
    for number in range(30):
        item = {"id": f"{number}", "group": f"{number % 4}", "number": number}
        container.create_item(item)
        made.append(("create", item["id"]))
        container.upsert_item(item | {"number": -number})
        made.append(("replace", item["id"]))
        if number % 3 == 0:
            container.delete_item(item["id"], item["group"])
            made.append(("delete", item["id"]))
    found = []
    for change in container.query_items_change_feed(mode=mode, continuation=token):
        metadata = change["metadata"]
        item_id = metadata.get("id") or change["current"]["id"]
        found.append((metadata["operationType"], item_id))
    if before or sorted(found) != sorted(made):
        sys.exit(f"all versions are {before!r} and {found!r}, not {made!r}")
    database.delete_container(container)


def refuses_a_wrong_key(endpoint):
    """Whether a client with a wrong key gets 401."""
    try:
        list(CosmosClient(endpoint, "d3Jvbmc=").list_databases())
    except exceptions.CosmosHttpResponseError as error:
        return error.status_code == 401
    return False


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("output", help="where the documents go, as JSON lines")
    arguments.add_argument("--count", type=int, default=300, help="documents to create (300)")
    arguments = arguments.parse_args()

    endpoint = os.environ["AZURE_COSMOS_ENDPOINT"]
    if not refuses_a_wrong_key(endpoint):
        sys.exit("a wrong key was not refused with 401")
    client = CosmosClient(endpoint, os.environ["AZURE_COSMOS_KEY"])
    database = client.get_database_client(os.environ["AZURE_COSMOS_DATABASE"])
    container = database.get_container_client(os.environ["AZURE_COSMOS_CONTAINER"])

    expected = change(container, arguments.count)
    found = read_back(container, expected)
    by_link(container, expected)
    feed_at_a_time(container, expected)
    all_versions(database)
    with open(arguments.output, "w", encoding="utf-8", newline="\n") as output:
        for item_id in sorted(found):
            line = json.dumps(found[item_id], ensure_ascii=False, sort_keys=True)
            output.write(line + "\n")
    print(f"{len(found)} documents in {arguments.output}", file=sys.stderr)


if __name__ == "__main__":
    main()

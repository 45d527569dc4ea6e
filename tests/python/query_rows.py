#!/usr/bin/env python3
"""Compares exports of queries with what the official Python client returns for the same queries.

    COSMOS_TAIL=cosmos-tail python query_rows.py DIRECTORY

The account, the container and the key come from the environment, as `cosmos-tail demo` prints them. Each query is run
by both, and the rows must be the same, each as often, whatever their order; and as many as the service counts.
"""

import collections
import json
import os
import pathlib
import subprocess
import sys

import duckdb
from azure.cosmos import CosmosClient

# The query, its parameters, the partition key if there is one, and the same as a count.
QUERIES = [
    ("SELECT * FROM c", {}, None),
    ("SELECT * FROM c WHERE c.total > @least", {"least": 9000}, None),
    ("SELECT c.id, c.total FROM c WHERE c.status = @status", {"status": "new"}, None),
    ("SELECT VALUE c.id FROM c WHERE c.total < @most", {"most": 100}, None),
    ("SELECT VALUE c.total FROM c WHERE c.total < @most", {"most": 100}, None),
    ("SELECT * FROM c WHERE c.customerId = @customer", {"customer": None}, None),
    ("SELECT * FROM c", {}, "customer"),
    ("SELECT * FROM c WHERE c.total > @least", {"least": 1e12}, None),
]


def canonical(row):
    """Text that differs if anything differs: 1, 1.0 and true are not the same."""
    return json.dumps(row, sort_keys=True, ensure_ascii=False)


def export(arguments):
    """The lines that an export writes to standard output."""
    command = [os.environ["COSMOS_TAIL"], "export", "-o", "-", "--quiet", "--page-size", "100"]
    done = subprocess.run(command + arguments, stdout=subprocess.PIPE, check=True)
    # Not `splitlines`, which knows more line breaks than JSON lines.
    return done.stdout.decode().split("\n")[:-1]


def same(query, ours, theirs):
    missing = collections.Counter(theirs) - collections.Counter(ours)
    extra = collections.Counter(ours) - collections.Counter(theirs)
    if missing or extra:
        sys.exit(f"{query}: {len(missing)} rows are missing, {len(extra)} too many: {missing} {extra}"[:2000])


def main():
    work = pathlib.Path(sys.argv[1])
    client = CosmosClient(os.environ["AZURE_COSMOS_ENDPOINT"], os.environ["AZURE_COSMOS_KEY"])
    database = client.get_database_client(os.environ["AZURE_COSMOS_DATABASE"])
    container = database.get_container_client(os.environ["AZURE_COSMOS_CONTAINER"])

    def ask(query, parameters, key):
        named = [{"name": f"@{name}", "value": value} for name, value in parameters.items()]
        scope = {"partition_key": key} if key else {"enable_cross_partition_query": True}
        return list(container.query_items(query, parameters=named, **scope))

    customer = ask("SELECT VALUE c.customerId FROM c WHERE c.total > 9000", {}, None)[0]
    rows = 0
    for query, parameters, key in QUERIES:
        parameters = {name: value if value is not None else customer for name, value in parameters.items()}
        key = customer if key else None
        arguments = ["--query", query]
        for name, value in parameters.items():
            text = value if isinstance(value, str) else json.dumps(value)
            arguments += ["--parameter", f"{name}={text}"]
        if key:
            arguments += ["--partition-key", key]
        ours = [canonical(json.loads(line)) for line in export(arguments)]
        same(query, ours, [canonical(row) for row in ask(query, parameters, key)])
        tail = query[query.index("FROM") :]
        [count] = ask(f"SELECT VALUE COUNT(1) {tail}", parameters, key)
        if count != len(ours):
            sys.exit(f"{query}: {len(ours)} rows, but the service counts {count}")
        rows += len(ours)

    # What a query may not have is computed from the file.
    totals = work / "totals.parquet"
    query = ["--query", "SELECT c.customer.vip AS vip, c.total FROM c"]
    subprocess.run([os.environ["COSMOS_TAIL"], "export", "--quiet", "-o", str(totals), *query], check=True)
    groups = duckdb.sql(f"SELECT vip, count(*) FROM '{totals}' GROUP BY vip").fetchall()
    for vip, count in groups:
        counted = ask("SELECT VALUE COUNT(1) FROM c WHERE c.customer.vip = @vip", {"vip": vip}, None)
        if counted != [count]:
            sys.exit(f"{vip}: {count} in the file, but the service counts {counted}")
    print(f"the Python client and exports of queries agree: {len(QUERIES)} queries, {rows} rows, {len(groups)} groups")


main()

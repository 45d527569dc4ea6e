"""Reads the objects of an export of the demo, as `stores` has made it: the argument is `s3` or `az`."""

import os
import sys
from urllib.parse import urlparse

import duckdb
import polars
import pyarrow.dataset
import pyarrow.fs

DOCUMENTS = 10_000
# The account and the key of every Azurite.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def files_of_pyarrow(kind):
    if kind == "s3":
        endpoint = urlparse(os.environ["AWS_ENDPOINT_URL"])
        return pyarrow.fs.S3FileSystem(
            access_key="test", secret_key="test", region="us-east-1",
            scheme=endpoint.scheme, endpoint_override=endpoint.netloc,
        )
    endpoint = urlparse(os.environ["AZURITE_BLOB_STORAGE_URL"])
    return pyarrow.fs.AzureFileSystem(
        ACCOUNT, account_key=KEY,
        blob_storage_authority=endpoint.netloc, blob_storage_scheme=endpoint.scheme,
        dfs_storage_authority=endpoint.netloc, dfs_storage_scheme=endpoint.scheme,
    )


def of_pyarrow(kind):
    # Names that begin with `_` are left out, as by other readers of tables.
    return pyarrow.dataset.dataset("lake/orders", filesystem=files_of_pyarrow(kind), format="parquet")


def options_of_polars(kind):
    if kind == "s3":
        return {
            "aws_endpoint_url": os.environ["AWS_ENDPOINT_URL"], "aws_access_key_id": "test",
            "aws_secret_access_key": "test", "aws_region": "us-east-1", "aws_allow_http": "true",
        }
    return {
        "account_name": ACCOUNT, "account_key": KEY, "allow_http": "true",
        "endpoint": f"{os.environ['AZURITE_BLOB_STORAGE_URL']}/{ACCOUNT}",
    }


def of_polars(kind):
    options = options_of_polars(kind)
    return polars.scan_parquet(f"{kind}://lake/orders/*.parquet", storage_options=options)


def of_duckdb(kind):
    """Its own client, which is an extension that it downloads."""
    database = duckdb.connect()
    try:
        if kind == "s3":
            database.execute("install httpfs; load httpfs")
            endpoint = urlparse(os.environ["AWS_ENDPOINT_URL"]).netloc
            database.execute(
                f"create secret (type s3, key_id 'test', secret 'test', region 'us-east-1', endpoint '{endpoint}',"
                " url_style 'path', use_ssl false)"
            )
        else:
            database.execute("install azure; load azure")
            endpoint = f"{os.environ['AZURITE_BLOB_STORAGE_URL']}/{ACCOUNT}"
            database.execute(
                "create secret (type azure, connection_string 'DefaultEndpointsProtocol=http;"
                f"AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={endpoint};')"
            )
    except (duckdb.IOException, duckdb.HTTPException) as error:
        print(f"left out: DuckDB's extension for {kind} cannot be installed here ({type(error).__name__})")
        return None
    return database.sql(f"select distinct id from '{kind}://lake/orders/*.parquet'").fetchall()


def check_partitions(kind):
    """A table with `--partition-by hour` has the columns `dt` and `hour`, from the names of its directories."""
    files, options = files_of_pyarrow(kind), options_of_polars(kind)
    dataset = pyarrow.dataset.dataset("lake/hours", filesystem=files, format="parquet", partitioning="hive")
    table = dataset.to_table(columns=["id", "dt", "hour"])
    scanned = polars.scan_parquet(f"{kind}://lake/hours/**/*.parquet", storage_options=options, hive_partitioning=True)
    frame = scanned.select("id", "dt", "hour").collect()
    in_duckdb = duckdb.sql("select id, dt, hour from dataset").fetchall()
    for name, rows in [
        ("pyarrow", table.to_pylist()),
        ("polars", frame.to_dicts()),
        ("DuckDB over pyarrow", [dict(zip(("id", "dt", "hour"), row)) for row in in_duckdb]),
    ]:
        check(f"{name}, {kind}, in partitions", [row["id"] for row in rows])
        found = {(str(row["dt"]), int(row["hour"])) for row in rows}
        # The export takes seconds, so an hour can end during it.
        assert 1 <= len(found) <= 2, found
        assert all(dt.startswith("20") and 0 <= hour < 24 for dt, hour in found), found


def check(name, ids):
    assert len(set(ids)) == DOCUMENTS, f"{name}: {len(set(ids))} ids"
    print(f"{name}: {len(ids)} rows")


def main():
    kind = sys.argv[1]
    dataset = of_pyarrow(kind)
    rows = dataset.to_table(columns=["id"]).column("id").to_pylist()
    assert len(rows) == DOCUMENTS, len(rows)
    check(f"pyarrow, {kind}", rows)
    check(f"polars, {kind}", of_polars(kind).select("id").collect()["id"].to_list())
    check(f"DuckDB over pyarrow, {kind}", [id for (id,) in duckdb.sql("select id from dataset").fetchall()])
    if (found := of_duckdb(kind)) is not None:
        check(f"DuckDB, {kind}", [id for (id,) in found])
    check_partitions(kind)


main()

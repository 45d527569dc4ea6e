"""The change feed of Azure Cosmos DB as a data source of Spark, read by the program `cosmos-tail`.

    from cosmos_tail_spark import CosmosTailDataSource

    spark.dataSource.register(CosmosTailDataSource)
    orders = spark.read.format("cosmos_tail").options(endpoint=…, database="shop", container="orders").load()

Each partition of a frame is a share of a plan, which one process of `cosmos-tail` reads; its Arrow batches are handed to
Spark as they are. Nothing here knows the feed.
"""

from .program import CosmosTailError
from .source import CosmosTailDataSource

__all__ = ["CosmosTailDataSource", "CosmosTailError"]
__version__ = "0.1.0"

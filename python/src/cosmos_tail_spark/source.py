"""The data source: plans on the driver, shares on the workers."""

from __future__ import annotations

import json
import os
import tempfile
import zlib
from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow
from pyspark.sql.datasource import DataSource, DataSourceReader, DataSourceStreamReader, InputPartition
from pyspark.sql.streaming.datasource import ReadLimit, SupportsTriggerAvailableNow
from pyspark.sql.types import StructType

from .columns import as_wanted, schema_file, spark_schema
from .options import Options
from .program import NAMES, Program

# The member of an offset that has the plan whose ends it is.
_PLAN = "plan"


class CosmosTailDataSource(DataSource):
    """A container of Azure Cosmos DB: its documents, or the changes since."""

    def __init__(self, options: MutableMapping[str, str]) -> None:
        super().__init__(options)
        self._options = Options.parse(options)
        # Made with the schema: its columns are those of the plan.
        self._plan: bytes | None = None

    @classmethod
    def name(cls) -> str:
        return "cosmos_tail"

    def schema(self) -> StructType:
        planner = _Planner(self._options)
        self._plan = planner.first(None)
        return planner.schema_of(self._plan)

    def reader(self, schema: StructType) -> DataSourceReader:
        return _Reader(self._options, schema, self._plan)

    def streamReader(self, schema: StructType) -> DataSourceStreamReader:
        return _StreamReader(self._options, schema, self._plan)


class _Planner:
    """Makes plans, by the program of the driver."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._program = Program(options.own.get("binary"), options.secrets)

    def first(self, columns_file: str | None, until: str | None = None) -> bytes:
        """A plan with these columns, or with those that the options say or that are inferred."""
        path = self._options.own.get("plan")
        if path is not None:
            with open(path, "rb") as file:
                return file.read()
        arguments = ["plan", "-o", "-", "--format", "arrow"]
        arguments += [*self._options.connection, *self._options.planning]
        for flag, variable in NAMES.items():
            if variable in os.environ and not any(given.startswith(f"{flag}=") for given in arguments):
                arguments.append(f"{flag}={os.environ[variable]}")
        mode = self._options.own.get("mode")
        if mode is not None:
            arguments.append(f"--mode={mode}")
        if until is not None:
            arguments.append(f"--until={until}")
        columns = self._options.own.get("columns")
        if columns is not None:
            return self._program.output([*arguments, f"--columns={columns}"])
        if columns_file is None:
            return self._program.output(arguments)
        with tempfile.TemporaryDirectory() as directory:
            name = os.path.join(directory, "columns")
            with open(name, "w", encoding="utf-8") as file:
                file.write(columns_file)
            return self._program.output([*arguments, f"--schema={name}"])

    def after(self, plan: bytes) -> bytes:
        """The plan of what came since `plan`."""
        arguments = ["plan", "-o", "-", "--after", "-", *self._options.connection]
        return self._program.output(arguments, plan)

    def columns_of(self, plan: bytes) -> str:
        """The columns of the documents that a plan has, as `--schema` takes them."""
        return self._program.output(["schema", "--plan", "-"], plan).decode()

    def schema_of(self, plan: bytes) -> StructType:
        """All columns that a plan has."""
        return spark_schema(self._program.output(["schema", "--plan", "-", "--arrow"], plan))


@dataclass
class _Share(InputPartition):
    """A share of a plan."""

    # Compressed: each partition is sent with the whole of it.
    plan: bytes
    index: int
    count: int


def _shares(options: Options, plan: bytes) -> list[_Share]:
    count = options.partitions(len(_ranges(plan)))
    packed = zlib.compress(plan, 1)
    return [_Share(packed, index, count) for index in range(count)]


def _ranges(plan: bytes) -> list[dict[str, Any]]:
    ranges: list[dict[str, Any]] = json.loads(plan)["plan"]["ranges"]
    return ranges


def _read(options: Options, schema: StructType, share: InputPartition) -> Iterator[pyarrow.RecordBatch]:
    """What a share has, by the program of the worker."""
    assert isinstance(share, _Share)
    extra = options.own.get("extra")
    if extra is None:
        # What has no column is not even collected, unless it is wanted.
        extra = "keep" if "_extra" in schema.fieldNames() else "drop"
    arguments = ["export", "--plan", "-", "--shard", f"{share.index}/{share.count}", "-o", "-", f"--extra={extra}"]
    arguments += [*options.connection, *options.reading]
    program = Program(options.own.get("binary"), options.secrets)
    return as_wanted(program.batches(arguments, zlib.decompress(share.plan)), schema)


class _Reader(DataSourceReader):
    """Reads a plan to the head of the feed: the documents as they are when they are read."""

    def __init__(self, options: Options, schema: StructType, plan: bytes | None) -> None:
        self._options = options
        self._schema = schema
        self._plan = plan

    def __getstate__(self) -> dict[str, Any]:
        # What is sent to tasks: the plan is in their partitions.
        return {**self.__dict__, "_plan": None}

    def partitions(self) -> Sequence[InputPartition]:
        plan = self._plan or _Planner(self._options).first(schema_file(self._schema))
        return _shares(self._options, plan)

    def read(self, partition: InputPartition) -> Iterator[pyarrow.RecordBatch]:
        return _read(self._options, self._schema, partition)


class _StreamReader(DataSourceStreamReader, SupportsTriggerAvailableNow):
    """Reads plans that follow each other. An offset is the plan whose ends it is: so a micro-batch is its end alone, and
    one that is repeated reads the same span."""

    def __init__(self, options: Options, schema: StructType, plan: bytes | None) -> None:
        self._options = options
        self._schema = schema
        # It has the columns, if they were inferred.
        self._plan = plan
        self._is_bounded = False
        # With the trigger `availableNow`: where the query ends.
        self._last: dict[str, str] | None = None

    def prepareForTriggerAvailableNow(self) -> None:
        self._is_bounded = True

    def initialOffset(self) -> dict[str, str]:
        # Nothing is planned yet. The first plan becomes the end of a micro-batch, which Spark records, before anything
        # depends on where it starts.
        return {_PLAN: ""}

    def latestOffset(self, start: dict[str, str], limit: ReadLimit) -> dict[str, str]:
        if self._last is not None:
            return self._last
        latest = self._latest(start)
        if self._is_bounded:
            self._last = latest
        return latest

    def _latest(self, start: dict[str, str]) -> dict[str, str]:
        planner = _Planner(self._options)
        if not start[_PLAN]:
            columns = schema_file(self._schema) if self._plan is None else planner.columns_of(self._plan)
            return {_PLAN: planner.first(columns, "exact").decode()}
        plan = planner.after(start[_PLAN].encode())
        if all(planned.get("transactions") == 0 for planned in _ranges(plan)):
            return start
        return {_PLAN: plan.decode()}

    def partitions(self, start: dict[str, str], end: dict[str, str]) -> Sequence[InputPartition]:
        if start == end or not end[_PLAN]:
            return []
        return _shares(self._options, end[_PLAN].encode())

    def read(self, partition: InputPartition) -> Iterator[pyarrow.RecordBatch]:
        return _read(self._options, self._schema, partition)

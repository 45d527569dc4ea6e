"""Reads the exports of one container in several formats, and compares what is read with the JSON
lines of the same feed.

The rule by which a document is given back is docs/formats.md, written once more."""

import argparse
import collections
import csv
import datetime
import decimal
import gzip
import hashlib
import json
import multiprocessing
import operator
import pathlib
import sys

import duckdb
import pandas
import polars
import pyarrow.dataset
import pyarrow.ipc
import pyarrow.parquet

csv.field_size_limit(1 << 26)

# What orders the versions of a document, in front of the document's columns.
ORDER = ["_operation_lsn", "_operation_number"]
RAW = ["_operation", *ORDER, "id", "_partition_key", "_ts", "_lsn", "document"]


# Of numbers as long as any in the documents, no digit is rounded away.
EXACT = decimal.Context(
    prec=100_000,
    Emax=decimal.MAX_EMAX,
    Emin=decimal.MIN_EMIN,
    traps=[decimal.Inexact, decimal.InvalidOperation, decimal.Overflow],
)

quoted = json.encoder.encode_basestring_ascii


class Pairs(list):
    """The members of an object, in their order."""


def parse(text):
    number = decimal.Decimal
    return json.loads(text, object_pairs_hook=Pairs, parse_int=number, parse_float=number)


def meaning(value):
    """The same text for values that mean the same: the order of members does not count, except
    among those of one name; numbers are decimal numbers."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, Pairs):
        members = sorted(value, key=operator.itemgetter(0))
        return "{" + ",".join([quoted(name) + ":" + meaning(one) for name, one in members]) + "}"
    if isinstance(value, list):
        return "[" + ",".join([meaning(one) for one in value]) + "]"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return str(EXACT.normalize(decimal.Decimal(value)))


def digest(texts):
    """A checksum over texts, whatever their order."""
    total = count = 0
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        total += int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")
        count += 1
    return count, total % (1 << 64)


# The text form of schemas.


def column(text):
    """The names of a column's path, and its type."""
    names, at = [], 0
    while True:
        name, at = one_name(text, at)
        names.append(name)
        if text[at] == ".":
            at += 1
            continue
        break
    column_type, at = one_type(text, at + 1)
    assert at == len(text), text
    return names, column_type


def one_name(text, at):
    if text[at] == '"':
        return json.JSONDecoder().raw_decode(text, at)
    end = at
    while end < len(text) and text[end] not in ".: ,<>":
        end += 1
    return text[at:end], end


def one_type(text, at):
    for kind in ("list<", "struct<"):
        if not text.startswith(kind, at):
            continue
        at += len(kind)
        if kind == "list<":
            inner, at = one_type(text, at)
        else:
            inner = []
            while True:
                name, at = one_name(text, at)
                field, at = one_type(text, at + 2)
                inner.append((name, field))
                if text[at] != ",":
                    break
                at += 2
        assert text[at] == ">", text
        return (kind[:-1], inner), at + 1
    end = at
    while end < len(text) and text[end] not in ",>":
        end += 1
    return text[at:end], end


def column_name(names):
    def one(name):
        control = any(ord(c) < 32 or 127 <= ord(c) < 160 for c in name)
        plain = name and not control and not set('."') & set(name)
        return name if plain else json.dumps(name, ensure_ascii=False)

    return ".".join(map(one, names))


# Giving documents back.


def put(document, names, value):
    """Puts a value at its path; objects are those that are being made."""
    for name in names[:-1]:
        document = document.setdefault(name, {})
    if isinstance(value, dict) and isinstance(document.get(names[-1]), dict):
        document[names[-1]].update(value)
    else:
        document[names[-1]] = value


def merged(made, extra):
    """The members of an object, with those of the overflow over it."""
    over = collections.defaultdict(list)
    for name, value in extra:
        over[name].append(value)
    members = Pairs()
    for name, value in made.items():
        if name not in over:
            members.append((name, finished(value)))
        elif isinstance(value, dict) and isinstance(over[name][0], Pairs):
            [one] = over.pop(name)
            members.append((name, merged(value, one)))
    members.extend((name, value) for name, values in over.items() for value in values)
    return members


def finished(value):
    return merged(value, []) if isinstance(value, dict) else value


def rebuilt(schema, cells, nulls, extra, value_of):
    document = {}
    for (names, column_type), cell in zip(schema, cells, strict=True):
        if cell is not None:
            put(document, names, value_of(cell, column_type))
    # Both are put over the cells, and have no member in common.
    over = Pairs() if nulls is None else parse(nulls)
    if extra is not None:
        extra = parse(extra)
        if not isinstance(extra, Pairs):
            assert not document, (document, extra)
            return extra
        over = both(over, extra)
    return merged(document, over)


def both(one, other):
    """The members of two objects, with those of objects that are in both."""
    known = dict(other)
    shared = {name for name, _ in one if name in known}
    members = Pairs(pair for pair in one if pair[0] not in shared)
    own = dict(one)
    for name, value in other:
        members.append((name, both(own[name], value) if name in shared else value))
    return members


def of_cell(cell, column_type):
    """The JSON value of what a reader of Parquet gives."""
    if isinstance(column_type, tuple):
        kind, inner = column_type
        if kind == "list":
            return [None if one is None else finished(of_cell(one, inner)) for one in cell]
        fields = ((name, of_cell(cell[name], one)) for name, one in inner if cell[name] is not None)
        return dict(fields)
    if column_type == "json":
        return parse(cell)
    if column_type.startswith("timestamp"):
        return of_moment(cell, column_type)
    return decimal.Decimal(repr(cell)) if isinstance(cell, float) else cell


def of_moment(moment, column_type):
    """A moment as the document had it, apart from what is finer than a microsecond: that is in the overflow."""
    fraction = f"{moment.microsecond:06}000"
    text = moment.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    if column_type == "timestamp":
        fraction = fraction.rstrip("0")
    else:
        fraction = fraction[: int(column_type[len("timestamp(") : -1])]
    return text + ("." + fraction if fraction else "") + "Z"


def of_text(text, column_type):
    """The JSON value of a cell of CSV."""
    if column_type == "boolean":
        return {"true": True, "false": False}[text]
    if column_type in ("int64", "double"):
        return decimal.Decimal(text)
    if column_type == "json":
        return parse(text)
    return text


def flattened(schema):
    """The columns of CSV: those of structs for themselves, lists as JSON."""
    for names, column_type in schema:
        if isinstance(column_type, tuple) and column_type[0] == "struct":
            yield from flattened([(names + [name], one) for name, one in column_type[1]])
        elif isinstance(column_type, tuple):
            yield names, "json"
        else:
            yield names, column_type


# Reading.


def state_directory(directory):
    """Where an export keeps what is not data."""
    return directory.parent / f"_{directory.name}.cosmos-tail"


def exported(directory):
    """What an export says of itself: its options, and its finished files in their order."""
    own = state_directory(directory)
    state = json.loads((own / "state.json").read_text())["state"]
    files = []
    for line in (own / "manifest.ndjson").read_text().splitlines():
        entry = json.loads(line)
        files.append((directory / entry["file"], entry["rows"]))
        assert files[-1][0].stat().st_size == entry["bytes"], entry
    assert sorted(directory.iterdir()) == sorted(path for path, _ in files), directory
    return state["options"], files


def schema_of(options):
    layout = options["layout"]
    return None if layout == "raw" else [column(text) for text in layout["columns"]["schema"]]


def columns_of(schema):
    return [*ORDER, *(column_name(path) for path, _ in schema), "_nulls", "_extra"]


def sql(text):
    return "'" + text.replace("'", "''") + "'"


def cell_text(value):
    """A value as an engine gives it, as text."""
    if isinstance(value, dict):
        # What is missing is null in every row of a struct, so it does not count.
        return "{" + ",".join(f"{k}:{cell_text(v)}" for k, v in sorted(value.items())) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(cell_text, value)) + "]"
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).isoformat()
    return repr(value)


def check_columns(directory, names, of_engines):
    """Compares checksums of every column between engines."""
    for index, name in enumerate(names):
        sums = {
            engine: digest(cell_text(row[index]) for row in rows if row[index] is not None)
            for engine, rows in of_engines.items()
        }
        assert len(set(sums.values())) == 1, (directory, name, sums)


def check_parquet(directory, expected):
    options, files = exported(directory)
    is_arrow = options["format"] == "arrow"
    schema = schema_of(options)
    names = RAW if schema is None else columns_of(schema)
    by_pyarrow, by_duckdb, by_polars, documents = [], [], [], []
    for path, count in files:
        if is_arrow:
            table = arrow_table(pyarrow.ipc.open_file(path), is_file=True)
            said = table.schema.metadata
        else:
            table = pyarrow.parquet.read_table(path)
            said = pyarrow.parquet.read_metadata(path).metadata
        assert table.column_names == names, (path, table.column_names, names)
        # Spark refuses them.
        assert "timestamp[ns" not in str(table.schema), table.schema
        assert said[b"cosmos-tail.container"] and said[b"cosmos-tail.export_id"], path
        assert json.loads(said[b"cosmos-tail.start"]) and json.loads(said[b"cosmos-tail.end"]), path
        columns = [table.column(index) for index in range(len(names))]
        of_file = list(zip(*(one.to_pylist() for one in columns)))
        assert len(of_file) == count, (path, len(of_file), count)
        by_pyarrow += of_file
        asked = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
        arrow_rows = table
        source = "arrow_rows" if is_arrow else f"read_parquet({sql(str(path))})"
        query = f"SELECT {asked} FROM {source}"
        of_file = duckdb.sql(query).fetchall()
        assert len(of_file) == count, (path, len(of_file), count)
        by_duckdb += of_file
        of_file = (polars.read_ipc(path) if is_arrow else polars.read_parquet(path)).rows()
        assert len(of_file) == count, (path, len(of_file), count)
        by_polars += of_file
    if is_arrow:
        count = pyarrow.dataset.dataset(directory, format="ipc").count_rows()
        frame = pandas.concat(pandas.read_feather(path) for path, _ in files)
        assert list(frame.columns) == names and len(frame) == count, directory
    else:
        everything = str(directory / "*.parquet")
        [(count,)] = duckdb.sql(f"SELECT count(*) FROM read_parquet({sql(everything)})").fetchall()
    assert count == len(by_pyarrow), (directory, count)
    check_columns(
        directory, names, {"pyarrow": by_pyarrow, "duckdb": by_duckdb, "polars": by_polars}
    )
    for row in by_pyarrow:
        if schema is None:
            documents.append(parse(row[-1]))
        else:
            documents.append(rebuilt(schema, row[len(ORDER) : -2], row[-2], row[-1], of_cell))
    assert digest(map(meaning, documents)) == expected, directory
    return sum(row[-1] is not None for row in by_pyarrow) if schema else 0


def arrow_table(reader, is_file=False):
    """The rows of a file or a stream, each batch of which says where its ranges stand."""
    batches = range(reader.num_record_batches) if is_file else iter(reader.iter_batches_with_custom_metadata())
    found, ends = [], {}
    for one in batches:
        batch, said = reader.get_batch_with_custom_metadata(one) if is_file else one
        for start in json.loads(said[b"cosmos-tail.start"]):
            # A range goes on where it stood.
            assert ends.get(start["id"], start) == start, (ends, start)
        for end in json.loads(said[b"cosmos-tail.end"]):
            assert end["position"]["token"] and end["range"], end
            ends[end["id"]] = end
        found.append(batch)
    table = pyarrow.Table.from_batches(found, reader.schema)
    table.validate(full=True)
    return table


def check_stream(path, expected):
    """The same stream, by each reader that has one."""
    with pyarrow.ipc.open_stream(path) as reader:
        table = arrow_table(reader)
    said = table.schema.metadata
    schema = [column(text) for text in json.loads(said[b"cosmos-tail.schema"])]
    assert table.column_names == columns_of(schema), table.column_names
    documents = [
        rebuilt(schema, row[len(ORDER) : -2], row[-2], row[-1], of_cell)
        for row in zip(*(one.to_pylist() for one in table.columns))
    ]
    assert digest(map(meaning, documents)) == expected, path
    names = table.column_names
    asked = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    reader = pyarrow.ipc.open_stream(path)
    by_duckdb = duckdb.sql(f"SELECT {asked} FROM reader").fetchall()
    by_polars = polars.read_ipc_stream(path).rows()
    by_pyarrow = list(zip(*(one.to_pylist() for one in table.columns)))
    check_columns(path, names, {"pyarrow": by_pyarrow, "duckdb": by_duckdb, "polars": by_polars})
    frame = pyarrow.ipc.open_stream(path).read_pandas()
    assert list(frame.columns) == names and len(frame) == table.num_rows, path
    return f"{path.name}: {table.num_rows} rows"


def check_csv(directory, expected):
    options, files = exported(directory)
    schema = schema_of(options)
    delimiter, null = options["csv"]["delimiter"], options["csv"]["null"]
    schema = None if schema is None else list(flattened(schema))
    names = RAW if schema is None else columns_of(schema)
    by_python, by_duckdb = [], []
    for path, count in files:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            assert next(reader) == names, path
            of_file = [[None if one == null else one for one in row] for row in reader]
        assert len(of_file) == count, (path, len(of_file), count)
        by_python += of_file
        query = f"""SELECT * FROM read_csv({sql(str(path))}, all_varchar = true, header = true,
            delim = {sql(delimiter)}, quote = '"', escape = '"', nullstr = {sql(null)},
            max_line_size = 8000000, auto_detect = false, new_line = '\\r\\n', columns = {{
            {", ".join(f"{sql(name)}: 'VARCHAR'" for name in names)} }})"""
        of_file = duckdb.sql(query).fetchall()
        assert len(of_file) == count, (path, len(of_file), count)
        by_duckdb += of_file
    check_columns(directory, names, {"csv": by_python, "duckdb": by_duckdb})
    documents = []
    for row in by_python:
        if schema is None:
            documents.append(parse(row[-1]))
        else:
            documents.append(rebuilt(schema, row[len(ORDER) : -2], row[-2], row[-1], of_text))
    assert digest(map(meaning, documents)) == expected, directory
    return sum(row[-1] is not None for row in by_python) if schema else 0


def check(directory, expected):
    """Compares one export with what is expected; says what was found in it."""
    options, files = exported(directory)
    if options["format"] == "jsonl":
        query = f"""SELECT json FROM read_json({sql(str(directory / '*.zst'))}, records = false,
            format = 'newline_delimited', columns = {{json: 'JSON'}},
            maximum_object_size = 8000000)"""
        rows = (meaning(parse(row[0])) for row in duckdb.sql(query).fetchall())
        assert digest(rows) == expected, directory
        return f"{directory.name}: {len(files)} files"
    check_format = check_csv if options["format"] == "csv" else check_parquet
    overflowed = check_format(directory, expected)
    return f"{directory.name}: {len(files)} files, {overflowed} rows with _extra"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, required=True)
    parser.add_argument("directory", type=pathlib.Path)
    arguments = parser.parse_args()
    lines = [
        meaning(parse(line))
        for path in sorted((arguments.directory / "jsonl").glob("*.jsonl"))
        for line in path.open("rb")
    ]
    expected = digest(lines)
    assert expected[0] == arguments.documents == len(set(lines)), expected
    directories = sorted(path for path in arguments.directory.iterdir() if path.is_dir())
    others = ("jsonl", "versions", "widened", "widened-csv", "live")
    is_table = lambda path: path.name not in others and not path.name.startswith("_")
    directories = [path for path in directories if is_table(path)]
    with multiprocessing.Pool() as pool:
        told = pool.starmap(check, ((path, expected) for path in directories), chunksize=1)
    told.append(check_stream(arguments.directory / "stream.arrows", expected))
    # Without a row it is a table nevertheless.
    nothing = pyarrow.ipc.open_stream(arguments.directory / "nothing.arrows").read_all()
    assert nothing.num_rows == 0 and "_extra" in nothing.column_names, nothing.schema
    print(f"{expected[0]} documents are the same, read by others: {'; '.join(told)}")


if __name__ == "__main__":
    sys.exit(main())

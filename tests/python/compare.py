#!/usr/bin/env python3
"""Compares what an export wrote with what the official Python client left in the container.

    python compare.py documents.jsonl orders/

For every document that the client left, the last line of the export with its partition key and id
must be the same document: all of the user's fields and the ETag. With --exact the export must hold those documents
and no others of the client's, each once, as a fresh export does. Prints how many it compared.
"""

import argparse
import json
import pathlib
import sys

PREFIX = "py-"
# What the feed adds or leaves out, compared with a read.
SYSTEM = {"_rid", "_self", "_ts", "_attachments", "_lsn"}


def key(document):
    """What names a document: the same id under another partition key is another document."""
    return document["customerId"], document["id"]


def canonical(document):
    """Text that differs if anything that counts differs: 1, 1.0 and true are not the same."""
    fields = {name: value for name, value in document.items() if name not in SYSTEM}
    return json.dumps(fields, sort_keys=True, ensure_ascii=False)


def files(directory, with_open):
    """The files of an export in the order in which they were written, for each range: by name,
    since a range that comes of a split has a higher number than its parent."""
    found = list(directory.glob("*.jsonl"))
    own = directory.parent / f"_{directory.name}.cosmos-tail"
    if with_open:
        found += own.glob("*.jsonl.open")
    else:
        listed = [json.loads(line)["file"] for line in open(own / "manifest.ndjson")]
        if sorted(listed) != sorted(path.name for path in found):
            sys.exit(f"the manifest lists {sorted(listed)}, but there are {sorted(found)}")
    return sorted(found, key=lambda path: path.name)


def read(path):
    """The client's documents in a file. Of an open file the last line may not be whole yet."""
    text = path.read_bytes()
    end = text.rfind(b"\n") + 1
    if end != len(text) and path.suffix != ".open":
        sys.exit(f"the last line of {path} is not whole")
    for line in text[:end].splitlines():
        # Reading every document of the demo takes long; only these count.
        if b'"' + PREFIX.encode() in line:
            document = json.loads(line)
            if document["id"].startswith(PREFIX):
                yield document


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("expected", type=pathlib.Path, help="what demo_client.py wrote")
    arguments.add_argument("export", type=pathlib.Path, help="the directory of an export")
    arguments.add_argument("--exact", action="store_true", help="each document once, no others")
    arguments.add_argument("--open", action="store_true", help="look into open files too")
    arguments.add_argument("--quiet", action="store_true", help="say nothing about differences")
    arguments = arguments.parse_args()

    def fail(message):
        sys.exit(1 if arguments.quiet else message)

    expected = {}
    for line in arguments.expected.read_text(encoding="utf-8").split("\n"):
        if line:
            document = json.loads(line)
            expected[key(document)] = canonical(document)
    if not expected:
        sys.exit("the client left no documents")

    last, lines = {}, 0
    for path in files(arguments.export, arguments.open):
        for document in read(path):
            last[key(document)] = canonical(document)
            lines += 1
    for name, want in sorted(expected.items()):
        have = last.get(name)
        if have != want:
            fail(f"{name} is {have}, not {want}")
    if arguments.exact and (lines != len(expected) or last != expected):
        others = sorted(last.keys() - expected.keys())
        fail(f"{lines} lines for {len(expected)} documents; not expected: {others[:5]}")
    print(f"{len(expected)} documents in {lines} lines", file=sys.stderr if arguments.quiet else None)


if __name__ == "__main__":
    main()

"""The package without Spark: options, columns, and processes that behave badly."""

import os
import pathlib
import stat
import sys
import tempfile
import unittest

import pyarrow
from pyspark.sql.types import (
    ArrayType, DateType, DoubleType, LongType, StringType, StructField, StructType, TimestampType,
)

from cosmos_tail_spark.columns import as_wanted, schema_file, spark_schema
from cosmos_tail_spark.options import Options
from cosmos_tail_spark.program import CosmosTailError, Program

VERSION = 'if [ "$1" = --version ]; then echo "cosmos-tail 0.1.0"; exit; fi\n'


class OptionsTest(unittest.TestCase):
    def test_options_become_flags_and_variables(self):
        options = Options.parse({
            "endpoint": "https://a", "maxRu": "20%", "account_key": "a-secret", "from": "-1h", "strictTypes": "true",
            "detect_timestamps": "false", "mode": "all",
        })
        self.assertEqual(options.connection, ["--endpoint=https://a"])
        self.assertEqual(options.reading, ["--max-ru=20%"])
        self.assertEqual(options.planning, ["--from=-1h", "--strict-types"])
        self.assertEqual(options.secrets, {"AZURE_COSMOS_KEY": "a-secret"})
        self.assertEqual(options.own, {"mode": "all"})
        self.assertNotIn("a-secret", repr(options))

    def test_what_is_wrong_is_named(self):
        for given, why in [
            ({"contaner": "x"}, "no option `contaner`"),
            ({"strict-types": "yes"}, "neither true nor false"),
        ]:
            with self.assertRaisesRegex(ValueError, why):
                Options.parse(given)
        for text in ["0", "-1", "four", "", "1.5"]:
            with self.assertRaisesRegex(ValueError, "not a number of at least 1"):
                Options.parse({"partitions": text}).partitions(4)
        self.assertEqual(Options.parse({}).partitions(4), 4)
        self.assertEqual(Options.parse({}).partitions(10_000), 200)
        self.assertEqual(Options.parse({"partitions": "1000"}).partitions(4), 1000)


class ColumnsTest(unittest.TestCase):
    def test_a_schema_of_spark_becomes_columns(self):
        schema = StructType([
            StructField("id", StringType()),
            StructField("customer.first name", StringType()),
            StructField('"a.b"', LongType()),
            StructField("made", TimestampType()),
            StructField("lines", ArrayType(StructType([StructField("price", DoubleType())]))),
            StructField("_extra", StringType()),
        ])
        self.assertEqual(
            schema_file(schema),
            'id string\ncustomer."first name" string\n"a.b" int64\nmade timestamp\nlines list<struct<price: double>>\n',
        )
        self.assertEqual(schema_file(StructType([StructField("_extra", StringType())])), "id string\n")
        with self.assertRaisesRegex(ValueError, "column `day` cannot be of type date"):
            schema_file(StructType([StructField("day", DateType())]))

    def test_batches_get_the_columns_that_are_wanted(self):
        sink = pyarrow.BufferOutputStream()
        words = pyarrow.array(["create", "delete", None]).dictionary_encode()
        batch = pyarrow.record_batch([pyarrow.array([1, 2, 3]), words], names=["n", "_operation"])
        with pyarrow.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        schema = spark_schema(sink.getvalue().to_pybytes())
        self.assertEqual(schema.simpleString(), "struct<n:bigint,_operation:string>")
        wanted = StructType([schema["_operation"]])
        found = list(as_wanted(iter([batch, batch.slice(0, 0)]), wanted))
        self.assertEqual([one.to_pydict() for one in found], [{"_operation": ["create", "delete", None]}])
        self.assertEqual(found[0].schema.types, [pyarrow.string()])
        with self.assertRaisesRegex(ValueError, "no column `other`"):
            list(as_wanted(iter([batch]), StructType([StructField("other", StringType())])))


class ProgramTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        os.environ.pop("COSMOS_TAIL", None)

    def program(self, script, name="program"):
        path = pathlib.Path(self.directory.name, name)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    def test_a_program_that_is_missing_is_said_with_where_it_is_looked_for(self):
        for given, why in [("/nowhere/cosmos-tail", "the option `binary` names"), (None, "COSMOS_TAIL names")]:
            os.environ["COSMOS_TAIL"] = "/nowhere/else"
            with self.assertRaisesRegex(CosmosTailError, f"{why}(.|\n)*looked for where(.|\n)*addFile(.|\n)*PATH"):
                Program(given, {})

    def test_a_program_that_is_old_or_another_one_is_refused(self):
        old = self.program('echo "cosmos-tail 0.0.9 (abc)"', "old")
        with self.assertRaisesRegex(CosmosTailError, "0.0.9, which is too old: this package needs 0.1.0"):
            Program(old, {})
        other = self.program("echo GNU tail", "other")
        with self.assertRaisesRegex(CosmosTailError, "is not cosmos-tail"):
            Program(other, {})
        broken = self.program("exit 7", "broken")
        with self.assertRaisesRegex(CosmosTailError, "is not cosmos-tail"):
            Program(broken, {})

    def test_an_error_has_its_cause_and_its_hint(self):
        said = "error: it failed\\n  Caused by: the reason\\nhint: do this"
        program = Program(self.program(f'{VERSION}printf "{said}" >&2; exit 3'), {})
        for run in [
            lambda: program.output(["plan"], b"x" * (1 << 20)),
            lambda: list(program.batches(["export"], b"x" * (1 << 20))),
        ]:
            with self.assertRaises(CosmosTailError) as raised:
                run()
            text = str(raised.exception)
            self.assertIn("exit code 3\nerror: it failed\n  Caused by: the reason\nhint: do this", text)

    def test_a_stream_that_was_cut_off_is_an_error(self):
        sink = pyarrow.BufferOutputStream()
        batch = pyarrow.record_batch([pyarrow.array(range(1000))], names=["n"])
        with pyarrow.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        whole = pathlib.Path(self.directory.name, "whole")
        whole.write_bytes(sink.getvalue().to_pybytes())
        program = Program(self.program(f"{VERSION}cat {whole}", "good"), {})
        self.assertEqual(sum(one.num_rows for one in program.batches(["export"], b"")), 1000)
        # All of it, and a failure after that.
        program = Program(self.program(f"{VERSION}cat {whole}; exit 1", "late"), {})
        with self.assertRaisesRegex(CosmosTailError, "exit code 1"):
            list(program.batches(["export"], b""))
        for count in [0, 100, 2000]:
            program = Program(self.program(f"{VERSION}head -c {count} {whole}", f"cut{count}"), {})
            with self.assertRaisesRegex(CosmosTailError, "not Arrow"):
                list(program.batches(["export"], b""))

    def test_a_process_ends_with_its_reader(self):
        sink = pyarrow.BufferOutputStream()
        batch = pyarrow.record_batch([pyarrow.array([1])], names=["n"])
        with pyarrow.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        whole = pathlib.Path(self.directory.name, "whole")
        whole.write_bytes(sink.getvalue().to_pybytes()[:-8])
        pid = pathlib.Path(self.directory.name, "pid")
        program = Program(self.program(f"{VERSION}echo $$ > {pid}; cat {whole}; exec sleep 600"), {})
        batches = program.batches(["export"], b"")
        self.assertEqual(next(batches).num_rows, 1)
        batches.close()
        with self.assertRaises(ProcessLookupError):
            os.kill(int(pid.read_text()), 0)


if __name__ == "__main__":
    sys.exit(unittest.main())

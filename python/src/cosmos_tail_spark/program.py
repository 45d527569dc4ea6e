"""The program `cosmos-tail`: where it is, which version it has, and its processes."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import IO

import pyarrow
from pyspark.core.files import SparkFiles

# The oldest program that has what is used here.
OLDEST = (0, 1, 0)
# The variable that names the program.
VARIABLE = "COSMOS_TAIL"
# Variables that name what is read, and the flags that they stand for.
NAMES = {"--database": "AZURE_COSMOS_DATABASE", "--container": "AZURE_COSMOS_CONTAINER"}
# How much of the messages of a process is kept, from the end.
_MAX_MESSAGES = 16 << 10
_PR_SET_PDEATHSIG = 1


class CosmosTailError(RuntimeError):
    """The program could not be run, or has failed. The message has its error, the causes and the hint."""


class Program:
    """The program on this machine: the driver's, or a worker's."""

    def __init__(self, given: str | None, variables: Mapping[str, str]) -> None:
        self._path = _find(given)
        _ensure_version(self._path)
        # A plan names the container; and messages are to be read here.
        inherited = {name: value for name, value in os.environ.items() if name not in NAMES.values()}
        self._environment = {**inherited, **variables, "NO_COLOR": "1", "COSMOS_TAIL_LOG_FORMAT": "text"}

    def output(self, arguments: Sequence[str], given: bytes = b"") -> bytes:
        """What a command prints, if this is `given` to it on standard input."""
        process = self._start(arguments)
        try:
            printed, messages = process.communicate(given)
        finally:
            _end(process)
        if process.returncode != 0:
            raise _failure(arguments, process.returncode, messages)
        return printed

    def batches(self, arguments: Sequence[str], given: bytes) -> Iterator[pyarrow.RecordBatch]:
        """The batches of the Arrow stream that a command prints, as they come."""
        process = self._start(arguments)
        assert process.stdin and process.stdout and process.stderr
        messages = bytearray()
        threads = [
            threading.Thread(target=_collect, args=(process.stderr, messages), daemon=True),
            threading.Thread(target=_give, args=(process.stdin, given), daemon=True),
        ]
        try:
            for thread in threads:
                thread.start()
            fault: Exception | None = None
            try:
                yield from pyarrow.ipc.open_stream(process.stdout)
            except (pyarrow.ArrowInvalid, OSError) as error:
                # A stream that ends too early is that of a process that has failed.
                fault = error
            code = process.wait()
            for thread in threads:
                thread.join()
            if code != 0:
                raise _failure(arguments, code, bytes(messages))
            if fault is not None:
                raise CosmosTailError(f"what `{self._path}` has written is not Arrow: {fault}") from fault
        finally:
            # Also where the batches are no longer wanted.
            _end(process)

    def _start(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                [self._path, *arguments, "--quiet"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment,
                preexec_fn=_ends_with_parent(),
            )
        except OSError as error:
            raise CosmosTailError(f"cannot start `{self._path}`: {error}") from error


def _find(given: str | None) -> str:
    if given is not None:
        found = shutil.which(given)
        if found is None:
            raise CosmosTailError(_missing(f"the option `binary` names `{given}`, which is not a program here"))
        return found
    named = os.environ.get(VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise CosmosTailError(_missing(f"{VARIABLE} names `{named}`, which is not a program here"))
        return found
    try:
        added = os.path.join(SparkFiles.getRootDirectory(), "cosmos-tail")
    except Exception:  # Outside of Spark there are no such files.
        added = ""
    found = shutil.which(added) if added else None
    found = found or shutil.which("cosmos-tail")
    if found is None:
        raise CosmosTailError(_missing("cosmos-tail is not there"))
    return found


def _missing(why: str) -> str:
    machine = os.uname().nodename if hasattr(os, "uname") else "this machine"
    return (
        f"{why}, on {machine}\n"
        f"hint: it is needed on the driver and on each worker, and looked for where the option `binary` says, where the "
        f"variable {VARIABLE} says (spark.executorEnv.{VARIABLE} sets it for workers), among the files of "
        f"`spark.sparkContext.addFile`, and in the PATH"
    )


@cache
def _ensure_version(path: str) -> None:
    try:
        asked = subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CosmosTailError(f"cannot run `{path} --version`: {error}") from error
    printed = asked.stdout.decode("utf-8", "replace")
    version = re.match(r"cosmos-tail (\d+)\.(\d+)\.(\d+)", printed)
    if asked.returncode != 0 or version is None:
        raise CosmosTailError(f"`{path}` is not cosmos-tail: `--version` prints {printed[:60]!r}")
    if tuple(map(int, version.groups())) < OLDEST:
        needed = ".".join(map(str, OLDEST))
        raise CosmosTailError(
            f"`{path}` is {version[0]}, which is too old: this package needs {needed}\n"
            f"hint: install the same version on the driver and on all workers"
        )


def _failure(arguments: Sequence[str], code: int, messages: bytes) -> CosmosTailError:
    text = messages.decode("utf-8", "replace").strip() or "it has printed no error"
    return CosmosTailError(f"cosmos-tail {arguments[0]} has ended with exit code {code}\n{text}")


def _collect(stream: IO[bytes], messages: bytearray) -> None:
    for line in stream:
        messages += line
        del messages[:-_MAX_MESSAGES]


def _give(stream: IO[bytes], given: bytes) -> None:
    try:
        with stream:
            stream.write(given)
    except BrokenPipeError:
        pass  # It has failed, and says why.


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            try:
                stream.close()
            except OSError:
                pass


def _ends_with_parent() -> Callable[[], None] | None:
    """What a new process does first: from then on the system kills it when its worker ends, even if that is killed
    itself, as when a job is cancelled. Where the system cannot, a process ends at its next write."""
    if sys.platform != "linux":
        return None
    parent = os.getpid()
    set_option = ctypes.CDLL(None, use_errno=True).prctl

    def first() -> None:
        set_option(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            # The worker has ended meanwhile.
            os.kill(os.getpid(), signal.SIGKILL)

    return first

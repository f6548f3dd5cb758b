"""Damaged files of every format: what damages them, and what must not come of it."""

import copy
import io
import json
import logging
import operator
import resource
import signal
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from secagent_env.support.digests import sealed

MAX_BYTES = 1 << 30
MAX_SECONDS = 10.0
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 3.5, 1e999, -1e999, float("nan"), 1e-320, 1e308, 2**31, 2**63, -(2**63), 2**64),
    *(
        10**39,
        10**400,
        "",
        "x",
        "\0",
        "é",
        "\ud800",
        "../../x",
        "paper",
        "1" * 5000,
        [],
        [[]],
        {},
        {"": []},
        [0.0] * 50,
    ),
)
"""What takes the place of values in a file of data."""


@dataclass(frozen=True)
class Format:
    """A format of files, or of messages where ``named`` is false.

    ``load`` returns what the file at a path holds, to be compared by ``same``. ``rewritten`` returns containers with
    right checksums and wrong content, each with a word on whether its digest fits, where the format has one.
    """

    name: str
    whole: bytes
    load: Callable[[Path], Any]
    rewritten: Callable[[np.random.Generator], tuple[bytes, bool]]
    digest: bool
    named: bool = True
    same: Callable[[Any, Any], bool] = operator.eq


@dataclass
class Report:
    """What came of damaged files: counts of outcomes, and a description of each fault."""

    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    most_bytes: int = 0
    most_seconds: float = 0.0


def fuzz(form: Format, count: int, seed: int, folder: Path) -> Report:
    """Load so many damaged files of a format, every second of them a valid container; the same ones for a seed."""
    report = Report()
    whole = _written(folder, form.whole, f"whole.{form.name}")
    original = form.load(whole)
    whole.unlink()
    unverified = _Unverified()
    logging.getLogger("secagent").addHandler(unverified)
    before = signal.signal(signal.SIGALRM, _too_long)
    try:
        for number in range(count):
            generator = np.random.default_rng([seed, number])
            content, fits = form.rewritten(generator) if number % 2 else (damaged(form.whole, generator), False)
            path = _written(folder, content, f"{number}.{form.name}")
            unverified.messages.clear()
            outcome, used, seconds = _tried(form, path)
            report.most_bytes = max(report.most_bytes, used)
            report.most_seconds = max(report.most_seconds, seconds)
            if used > MAX_BYTES or seconds > MAX_SECONDS:
                report.faults.append(f"{number}: took {used / 1e6:.0f} MB and {seconds:.1f} s")
            if isinstance(outcome, Exception):
                if fault := _bad_sentence(outcome, path if form.named else None):
                    report.faults.append(f"{number}: {fault}")
                report.outcomes["refused"] += 1
            elif form.same(outcome, original):
                report.outcomes["harmless"] += 1
            elif unverified.messages:
                report.outcomes["called unverified"] += 1
            elif form.digest and not fits:
                report.faults.append(f"{number}: changed silently")
            else:
                report.outcomes["valid and different"] += 1
            path.unlink()
    finally:
        signal.signal(signal.SIGALRM, before)
        logging.getLogger("secagent").removeHandler(unverified)
    return report


def damaged(whole: bytes, generator: np.random.Generator) -> bytes:
    """Return bytes with a damage: flipped, cut, repeated, inserted, removed, overwritten, or something else."""
    content = bytearray(whole)
    size = len(content)
    start = int(generator.integers(size))
    length = int(min(generator.geometric(1 / 20), size - start))
    noise = generator.bytes(length)
    kind = int(generator.integers(10))
    if kind <= 2:
        for place in generator.integers(size, size=1 + kind):
            content[place] ^= 1 << int(generator.integers(8))
    elif kind == 3:
        del content[start:]
    elif kind == 4:
        content[start:start] = content[start : start + length] * int(generator.integers(1, 5))
    elif kind == 5:
        content[start:start] = noise
    elif kind == 6:
        del content[start : start + length]
    elif kind == 7:
        content[start : start + length] = noise if generator.random() < 0.5 else bytes(length)
    elif kind == 8:
        deep = (b"[", b'{"a":', b"a = [", b"(", b"\xff", b"\0", b"9", b"\n")[int(generator.integers(8))]
        content[start:start] = deep * int(generator.choice([50, 1200, 50_000]))
    else:
        content = bytearray(
            (b"", b"\0", noise, whole[::-1], whole + whole, b"\xef\xbb\xbf" + whole, b"PK\x05\x06" + bytes(18))[
                int(generator.integers(7))
            ]
        )
    return bytes(content)


def changed(data: Any, generator: np.random.Generator) -> Any:
    """Return JSON's data with one or two of its values, names or parts changed."""
    data = json.loads(json.dumps(data))
    for _ in range(int(generator.integers(1, 3))):
        places = list(_places(data))
        if not places:
            return data
        owner, name = places[int(generator.integers(len(places)))]
        value = copy.deepcopy(VALUES[int(generator.integers(len(VALUES)))])
        kind = int(generator.integers(8))
        if kind == 0:
            del owner[name]
        elif kind == 1 and isinstance(owner, dict):
            owner[f"{name}x"] = owner.pop(name)
        elif kind == 2:
            deep: Any = value
            for _ in range(int(generator.choice([3, 90, 150, 600]))):
                deep = [deep]
            owner[name] = deep
        elif kind == 3 and isinstance(owner[name], (int, float)):
            owner[name] = owner[name] * float(generator.choice([-1, 0, 1e-9, 1.0001, 1e9, 1e300]))
        else:
            owner[name] = value
    return data


def as_json(data: Any) -> bytes:
    """Return data as JSON, with everything that Python writes."""
    return json.dumps(data).encode()


def resealed(document: dict[str, Any], generator: np.random.Generator) -> tuple[dict[str, Any], bool]:
    """Return a changed document, in two of three cases with a digest that fits."""
    plain = {name: value for name, value in document.items() if name != "digest"}
    other = changed(plain, generator)
    if generator.random() < 2 / 3:
        return sealed(other), True
    return {**other, "digest": document["digest"]}, False


def rezipped(whole: bytes, generator: np.random.Generator, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """Return a zip archive of changed entries, now and then compressed in another way."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    out = io.BytesIO()
    method = int(generator.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]))
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return out.getvalue()


def _places(data: Any) -> Iterator[tuple[Any, Any]]:
    """Yield all places in data: a list or dict, and the index or name in it."""
    rest = [data]
    while rest:
        owner = rest.pop()
        for name in list(owner) if isinstance(owner, dict) else range(len(owner)) if isinstance(owner, list) else ():
            yield owner, name
            rest.append(owner[name])


class _Unverified(logging.Handler):
    """Keeps the messages of files without a digest."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "unverified" in record.getMessage():
            self.messages.append(record.getMessage())


def _too_long(*_: Any) -> None:
    raise TimeoutError("it takes too long")


def _written(folder: Path, content: bytes, name: str) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def _tried(form: Format, path: Path) -> tuple[Any, int, float]:
    """Return what a file holds, or the exception, with the memory that it took beyond what was there, and seconds."""
    with _peak() as peak:
        began = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, 3 * MAX_SECONDS)
        try:
            outcome = form.load(path)
        except Exception as error:  # judged by the caller
            outcome = error
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        seconds = time.perf_counter() - began
    return outcome, peak(), seconds


@contextmanager
def _peak() -> Iterator[Callable[[], int]]:
    """Measure the largest resident memory of a block beyond that at its beginning, in bytes (Linux)."""
    status = Path("/proc/self/status")

    def read(name: str) -> int:
        line = next(line for line in status.read_text().splitlines() if line.startswith(name))
        return int(line.split()[1]) * 1024

    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        yield lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
        return
    before = read("VmRSS")
    yield lambda: read("VmHWM") - before


def _bad_sentence(error: Exception, path: Path | None) -> str:
    """Return what is wrong with an error's sentence; nothing if it is one for people."""
    text = str(error)
    if not isinstance(error, ValueError) or isinstance(error, UnicodeError):
        return f"raised {type(error).__name__}: {text[:200]}"
    if path is not None and path.name not in text:
        return f"does not name the file: {text[:200]}"
    if "\n" in text or not text or len(text) > 1000:
        return f"is not one sentence: {text[:300]!r}"
    return ""

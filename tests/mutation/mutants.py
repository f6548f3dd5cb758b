"""``make mutants``: changes formulas one at a time, and reports which changes no test notices.

    python tests/mutation/mutants.py [--number 200] [--seed 1] [--workers 2] [--only REGEX] [--list]

The mutants (:mod:`mutations`) are drawn by the seed from all those of the files named in ``tests.toml``, beside the
tests that have to notice them. ``equivalent.toml`` argues for those that nobody can notice. The tests run in copies of
the working tree, which itself is never touched, and stop at their first failure. Results are kept in ``.mutants``:
an interrupted run goes on where it ended; after a change of the code everything counts anew, after one of a group's
tests that group does, and a mutant is first met by the test that noticed it last. The exit status is 0 if at least
90 % are noticed.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import hashlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

from mutations import Mutant, draw, mutants_of

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
RESULTS = ".mutants"
ENOUGH = 0.9
"""The share that has to be noticed."""
SLOWER = 5
"""A mutant has so many times the seconds that the tests take, and at least LEAST_SECONDS: then it hangs, which counts
as noticed."""
LEAST_SECONDS = 60
MOST_BYTES = 8 << 30
"""Of memory, for a mutant whose loop never ends."""

TESTED = "not slow and not llm and not replay and not pages"
"""Which of a group's tests have to notice: the long ones too."""


@dataclass(frozen=True)
class Group:
    """Files whose mutants are drawn, and the tests that have to notice them: arguments of pytest."""

    name: str
    files: tuple[str, ...]
    tests: tuple[str, ...]


def groups(root: Path) -> list[Group]:
    """Return the groups of ``tests.toml``, with their patterns resolved."""
    found = []
    for entry in tomllib.loads((HERE / "tests.toml").read_text())["group"]:
        files = [path for pattern in entry["files"] for path in sorted(root.glob(pattern))]
        names = tuple(path.relative_to(root).as_posix() for path in files if path.name != "__init__.py")
        missing = [test for test in entry["tests"] if not (root / test.partition("::")[0]).is_file()]
        if missing or not names:
            raise SystemExit(f"tests/mutation/tests.toml: {entry['name']} names files that are not there {missing}")
        left_out = ("-k", f"not ({entry['without']})") if "without" in entry else ()
        found.append(Group(entry["name"], names, (*entry["tests"], *left_out)))
    return found


def equivalents() -> dict[str, str]:
    """Return the reasons of equivalent mutants, by their names."""
    entries = tomllib.loads((HERE / "equivalent.toml").read_text()).get("mutant", [])
    return {entry["name"]: entry["reason"] for entry in entries}


# --- Copies of the tree --------------------------------------------------------------------------------------


def tree(root: Path) -> list[str]:
    """Return the files of the working tree that git does not ignore."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return sorted(name for name in set(listed.split("\0")) if name and (root / name).is_file())


def digest(root: Path, files: list[str], tests: tuple[str, ...]) -> str:
    """Return what tells one state of the code, and of a group's tests, from another."""
    asked = {test.partition("::")[0] for test in tests}
    state = hashlib.sha256(repr(tests).encode())
    for name in files:
        elsewhere = name.startswith("tests/mutation/") or (Path(name).name.startswith("test_") and name not in asked)
        if name.endswith((".py", ".yaml", ".onnx", ".toml")) and not elsewhere:
            state.update(name.encode() + hashlib.sha256((root / name).read_bytes()).digest())
    return state.hexdigest()[:16]


@contextlib.contextmanager
def copies(root: Path, files: list[str], number: int) -> Iterator[Queue[Path]]:
    """Yield so many copies of the tree, compiled."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        queue: Queue[Path] = Queue()
        for i in range(number):
            copy = Path(folder, str(i), "tree")
            for name in files:
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, copy / name)
            subprocess.run([sys.executable, "-m", "compileall", "-q", "."], cwd=copy, check=True)
            queue.put(copy)
        yield queue


@contextlib.contextmanager
def changed(path: Path, source: str) -> Iterator[None]:
    """Write a file, and put the old one back after; its time too, which its compiled form is known by."""
    before, stat = path.read_bytes(), path.stat()
    path.write_text(source)
    try:
        yield
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


# --- One mutant ----------------------------------------------------------------------------------------------

RUNNING: set[int] = set()
"""The process groups of tests that run now."""
STOP = threading.Event()
"""Set by an interrupt: no other tests begin."""


def end(group: int) -> None:
    """End a group of processes."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def run_tests(copy: Path, tests: tuple[str, ...], seconds: float | None) -> tuple[str, str]:
    """Run tests in a copy up to the first failure; return ``passed``, ``failed`` or ``hung``, and the output's end."""
    data = os.environ.get("SECAGENT_DATA", str(ROOT.parent / "shared" / "data"))
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = {
        **os.environ, **threads, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "CI": "1",
        "TMPDIR": str(copy.parent), "SECAGENT_DATA": data,
    }  # fmt: skip
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "--no-header",
        "--tb=no",
        "-p",
        "no:cacheprovider",
        "-m",
        TESTED,
        *tests,
    ]
    output, hung = "", False
    with subprocess.Popen(
        command, cwd=copy, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", start_new_session=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, MOST_BYTES)),
    ) as process:  # fmt: skip
        RUNNING.add(process.pid)
        try:
            if STOP.is_set():
                end(process.pid)
            output = process.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            hung = True
        finally:
            RUNNING.discard(process.pid)
            end(process.pid)  # and whatever the tests have left running
    for leftover in copy.parent.glob("pytest-of-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    return "hung" if hung else "passed" if process.returncode == 0 else "failed", output


def noticed_by(output: str) -> str:
    """Return the test that failed, as pytest names it, or what else went wrong."""
    failed = re.search(r"^(?:FAILED|ERROR) (\S+::.*?)(?: - .*)?$", output, re.MULTILINE)
    return failed[1] if failed else (output.strip().splitlines() or ["no output"])[-1]


def judge(copy: Path, mutant: Mutant, tests: tuple[str, ...], seconds: float, last: str) -> dict[str, Any]:
    """Return what became of a mutant; the test that noticed it ``last`` is asked first."""
    began = time.monotonic()
    path = copy / mutant.file
    with changed(path, mutant.apply(path.read_text())):
        ending, output = "passed", ""
        if "::" in last and (copy / last.partition("::")[0]).is_file():
            ending, output = run_tests(copy, (last,), seconds)
            if "::" not in noticed_by(output):  # there is no such test any more
                ending = "passed"
        if ending == "passed":
            ending, output = run_tests(copy, tests, seconds)
    by = {"passed": "", "hung": "the time"}.get(ending) or (noticed_by(output) if ending == "failed" else "")
    return {"name": mutant.name, "noticed": ending != "passed", "by": by, "seconds": round(time.monotonic() - began, 1)}


# --- All of them ---------------------------------------------------------------------------------------------


class Results:
    """What became of mutants, on disk as soon as it is known: a line of JSON each. ``states`` are those of files."""

    def __init__(self, path: Path, states: dict[str, str]) -> None:
        self._path, self._states, self._lock = path, states, threading.Lock()
        self.known: dict[str, dict[str, Any]] = {}
        self.last: dict[str, str] = {}
        for line in path.read_text().splitlines() if path.exists() else []:
            with contextlib.suppress(ValueError):  # a line that was being written
                row = json.loads(line)
                if row["noticed"]:
                    self.last[row["name"]] = row["by"]
                if row["state"] == self._state(row):
                    self.known[row["name"]] = row

    def _state(self, row: dict[str, Any]) -> str:
        return self._states.get(row["name"].partition(":")[0], "of no file")

    def add(self, row: dict[str, Any]) -> None:
        """Keep a result."""
        with self._lock:
            self.known[row["name"]] = row
            self._path.parent.mkdir(exist_ok=True)
            with self._path.open("a") as file:
                file.write(json.dumps({**row, "state": self._state(row)}) + "\n")


def baseline(queue: Queue[Path], tests: tuple[str, ...]) -> float:
    """Return the seconds that tests take on the code as it is; SystemExit if they fail there."""
    copy, began = queue.get(), time.monotonic()
    try:
        ending, output = run_tests(copy, tests, None)
    finally:
        queue.put(copy)
    if ending != "passed":
        raise SystemExit(f"the tests fail without any change: {noticed_by(output)}")
    return time.monotonic() - began


@contextlib.contextmanager
def interruptible(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of threads; an error or an interrupt ends the tests that they wait for."""
    with ThreadPoolExecutor(workers) as pool:
        try:
            yield pool
        except BaseException:
            STOP.set()
            pool.shutdown(wait=False, cancel_futures=True)
            for group in list(RUNNING):
                end(group)
            raise


def run(args: argparse.Namespace) -> int:
    """Judge the mutants drawn, print the report, and return the exit status."""
    found = groups(ROOT)
    group_of = {file: group for group in found for file in group.files}
    sources = {file: (ROOT / file).read_text() for file in group_of}
    everything = [mutant for file, source in sources.items() for mutant in mutants_of(file, source)]
    argued = equivalents()
    names = {mutant.name for mutant in everything}
    for name in argued.keys() - names:
        print(f"equivalent.toml argues for what is no longer there: {name}")
    drawn = draw(everything, args.number, args.seed)
    drawn = [mutant for mutant in drawn if re.search(args.only, f"{mutant.name} [{group_of[mutant.file].name}]")]
    print(f"{len(drawn)} of {len(everything)} mutants of {len(sources)} files, seed {args.seed}")
    if args.list:
        for mutant in drawn:
            print(f"{mutant.file}:{mutant.line}: {mutant.name.partition(':')[2]}")
        return 0
    files = tree(ROOT)
    states = {group.name: digest(ROOT, files, group.tests) for group in found}
    results = Results(ROOT / RESULTS / "results.jsonl", {file: states[group.name] for file, group in group_of.items()})
    open_ones = [mutant for mutant in drawn if mutant.name not in argued and mutant.name not in results.known]
    if open_ones:
        with copies(ROOT, files, args.workers) as queue, interruptible(args.workers) as pool:
            needed = dict.fromkeys(group_of[mutant.file].tests for mutant in open_ones)
            seconds = dict(zip(needed, pool.map(lambda tests: baseline(queue, tests), needed), strict=True))
            print(f"the tests take {sum(seconds.values()):.0f} s as they are; {len(open_ones)} mutants to judge")

            def judged(mutant: Mutant) -> None:
                tests, copy = group_of[mutant.file].tests, queue.get()
                try:
                    limit = max(SLOWER * seconds[tests], LEAST_SECONDS)
                    row = judge(copy, mutant, tests, limit, results.last.get(mutant.name, ""))
                finally:
                    queue.put(copy)
                if not STOP.is_set():
                    results.add(row)
                    verdict = f"noticed by {row['by']}" if row["noticed"] else "SURVIVED"
                    print(f"{row['seconds']:6.1f} s  {mutant.name}\n          {verdict}", flush=True)

            list(pool.map(judged, open_ones))
    return report(drawn, results.known, argued, sources, group_of)


def report(
    drawn: list[Mutant],
    known: dict[str, dict[str, Any]],
    argued: dict[str, str],
    sources: dict[str, str],
    group_of: dict[str, Group],
) -> int:
    """Print what survived, and the share that was noticed, of all and by group; return the exit status."""
    survivors = [mutant for mutant in drawn if mutant.name not in argued and not known[mutant.name]["noticed"]]
    for mutant in survivors:
        print(f"\nsurvived: {mutant.name}")
        old, new = (text.splitlines() for text in (sources[mutant.file], mutant.apply(sources[mutant.file])))
        print("\n".join(difflib.unified_diff(old, new, mutant.file, mutant.file, lineterm="", n=1)))
    equivalent = [mutant for mutant in drawn if mutant.name in argued]
    for mutant in equivalent:
        print(f"\nequivalent: {mutant.name}\n  {argued[mutant.name]}")
    lost = Counter(group_of[mutant.file].name for mutant in [*survivors, *equivalent])
    print()
    for name, size in sorted(Counter(group_of[mutant.file].name for mutant in drawn).items()):
        print(f"{name:34} {size - lost[name]:4} of {size:4} noticed")
    noticed = len(drawn) - len(survivors) - len(equivalent)
    share = noticed / max(len(drawn), 1)
    print(
        f"\n{noticed} of {len(drawn)} mutants are noticed ({share:.1%}); {len(equivalent)} are equivalent, "
        f"{len(survivors)} survived without a reason"
    )
    return 0 if share >= ENOUGH else 1


def main() -> int:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description="Change formulas, and report which changes no test notices.")
    parser.add_argument("--number", type=int, default=200, help="how many mutants are drawn (default: 200)")
    parser.add_argument("--seed", type=int, default=1, help="of the draw (default: 1)")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="default: a core each")
    parser.add_argument("--only", default="", metavar="REGEX", help="those whose name or [group] it matches")
    parser.add_argument("--list", action="store_true", help="print the mutants drawn, and judge none")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C: copies are removed, tests ended
    try:
        return run(args)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

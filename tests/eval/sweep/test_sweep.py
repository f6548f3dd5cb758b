"""Sweeps: every cell once, whatever dies meanwhile, and the same rows wherever they are computed."""

import contextlib
import errno
import itertools
import json
import logging
import math
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lost_interrupt import interrupt_in_finaliser
from sweep_cells import squares

from eval.command.cli import main
from eval.compare.comparison import Comparison, sweep_of
from eval.sweep import cluster as eval_cluster
from eval.sweep import engine as eval_sweep
from eval.sweep.cell_files import FORMAT
from eval.sweep.cells import BOOKKEEPING, Cell, Done, compute, key_of
from eval.sweep.cluster import Cluster
from eval.sweep.engine import Sweep, in_words, run_sweep
from eval.sweep.grid import Chain, Grid, union
from eval.sweep.plan import plan
from eval.sweep.store import Store
from eval.sweep.workers import DIED, TRIES, Work, chunks, compute_chunk
from secagent_env import Scenario

pandas = pytest.importorskip("pandas")
pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

TIMING = ["cell_seconds"]


# --- What the tests share ------------------------------------------------------------------------------------


def logged(folder: Path) -> list[int]:
    """Which values were computed, in their order."""
    path = folder / "log"
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def results(*values, **fields) -> Sweep:
    """A sweep of cells that return these values."""
    return Sweep(
        [
            replace(Cell("sweep_cells:returned", "given", "plain", i, options={"result": value}), **fields)
            for i, value in enumerate(values)
        ]
    )


def same(one, other) -> None:
    pandas.testing.assert_frame_equal(one.drop(columns=TIMING), other.drop(columns=TIMING))


# --- What a sweep returns ------------------------------------------------------------------------------------


def test_rows_are_in_the_order_of_the_cells_with_labels_and_results(tmp_path: Path):
    frame = run_sweep(squares(tmp_path, 4), tmp_path / "out", workers=1)
    assert list(frame.columns) == [
        "experiment", "scheme", "value", "seed", "index", "square", "error", "cell_seconds"
    ]  # fmt: skip
    assert list(zip(frame["value"], frame["square"], strict=True)) == [(0, 0), (1, 1), (2, 4), (3, 9)]
    assert set(frame["experiment"]) == {"squares"}
    assert (frame["cell_seconds"] >= 0).all()
    raw = pandas.read_parquet(tmp_path / "out" / "cells")
    assert set(BOOKKEEPING) | {"square"} == set(raw.columns)
    assert json.loads(raw["options"][0]) == {"log": str(tmp_path / "log")}


def test_a_cell_may_return_several_rows_and_values_of_any_plain_kind(tmp_path: Path):
    sweep = results([{"a": 1, "b": "x"}, {"a": None, "c": [1, {"d": 2}]}], {"a": 2.5, "b": True})
    frame = run_sweep(sweep, tmp_path, workers=1)
    assert list(frame["value"]) == [0, 0, 1]
    assert list(frame["a"].dropna()) == [1, 2.5]
    assert list(frame["b"].dropna()) == ["x", "true"]  # text in one row: text in all
    assert list(frame["c"].dropna()) == ['[1, {"d": 2}]']


def test_values_of_numpy_become_plain_and_infinity_stays(tmp_path: Path):
    (cell,) = results(0).cells
    cell = replace(cell, function="sweep_cells:of_numpy")
    assert compute(cell).rows == [{"a": 1.5, "b": "[0, 1]", "c": math.inf, "d": True}]
    assert run_sweep(Sweep([cell]), tmp_path, workers=1)["c"][0] == math.inf


@pytest.mark.parametrize("result", [None, 3, [], [1], "text"])
def test_a_function_that_returns_no_rows_fails(result):
    (cell,) = results(result).cells
    assert compute(cell).error.startswith("TypeError: a cell's function returns a dict or a list of some dicts, got ")


def test_a_function_must_not_use_the_columns_of_the_sweep():
    (cell,) = results({"seed": 3, "error": "x"}).cells
    assert (
        compute(cell).error == "ValueError: a cell's function must not use the column error, seed: the sweep writes it"
    )


def test_sweeps_share_a_folder_without_each_others_columns(tmp_path: Path):
    run_sweep(results({"a": 1}, experiment="one"), tmp_path, workers=1)
    other = run_sweep(results({"b": "text"}, experiment="other"), tmp_path, workers=1)
    again = run_sweep(results({"a": 1}, experiment="one"), tmp_path, workers=1)
    assert "a" not in other
    assert "b" not in again
    assert again["a"][0] == 1


# --- Keys ----------------------------------------------------------------------------------------------------


def test_keys_depend_on_every_entry_and_not_on_their_order():
    assert key_of({"a": 1, "b": [2]}) == key_of({"b": [2], "a": 1})
    assert len({key_of({"a": value}) for value in (1, 2, "1", None, True, [1])}) == 6
    cell = Cell("sweep_cells:square", "e", "s", 1, options={"x": 1}, modules=("solvers.interface.base",))
    changes = [
        {"function": "sweep_cells:returned"}, {"experiment": "f"}, {"scheme": "t"}, {"value": 2}, {"seed": 1},
        {"index": 1}, {"options": {"x": 2}}, {"modules": ("solvers.interface.registry",)},
    ]  # fmt: skip
    assert len({cell.key, *(replace(cell, **change).key for change in changes)}) == 9
    assert replace(cell, paid=True).key == cell.key
    assert {replace(cell, seed=1, index=2).kind, replace(cell).kind} == {cell.kind}
    assert replace(cell, value=2).kind != cell.kind


def test_keys_depend_on_the_version_and_on_the_code(monkeypatch: pytest.MonkeyPatch):
    def key() -> str:
        return Cell("sweep_cells:square", "e", "s", modules=("solvers.interface.base",)).key

    first = key()
    assert key() == first
    monkeypatch.setattr("eval.sweep.cells.__version__", "9.9")
    assert key() != first
    monkeypatch.undo()
    monkeypatch.setattr("eval.sweep.cells.sources_digest", lambda names: "another")
    assert key() != first


@pytest.mark.parametrize("options", [{"x": object()}, {"x": float("nan")}, {"x": {1, 2}}])
def test_cells_hold_plain_data_only(options: dict):
    with pytest.raises(ValueError, match=r"^a cell of e holds something else than plain data: "):
        Sweep([Cell("sweep_cells:square", "e", "s", options=options)])


@pytest.mark.parametrize("function", ["sweep_cells:cube", "no_such_module:f", "square", ""])
def test_an_unknown_function_is_refused_before_anything_is_computed(function: str):
    with pytest.raises(ValueError, match=r"needs the function .* which cannot be found .*module:function$"):
        Sweep([Cell(function, "e", "s")])


# --- Each cell once ------------------------------------------------------------------------------------------


def test_what_is_finished_is_never_computed_again(tmp_path: Path):
    first = run_sweep(squares(tmp_path, 4), tmp_path / "out", workers=1)
    assert logged(tmp_path) == [0, 1, 2, 3]
    again = run_sweep(squares(tmp_path, 6), tmp_path / "out", workers=1)
    assert logged(tmp_path) == [0, 1, 2, 3, 4, 5]
    pandas.testing.assert_frame_equal(again[:4], first)  # the times too: it is the old result
    run_sweep(squares(tmp_path, 3), tmp_path / "out", workers=1, fresh=True)
    assert logged(tmp_path)[6:] == [0, 1, 2]
    assert len(Store(tmp_path / "out" / "cells").table()) == 6


def test_a_cell_that_fails_is_kept_with_its_error_and_computed_again_on_request(tmp_path: Path, caplog):
    caplog.set_level(logging.INFO)
    sweep = squares(tmp_path, 4, fails=[1, 2])
    frame = run_sweep(sweep, tmp_path / "out", workers=1)
    assert list(frame["error"].fillna("")) == ["", *["ZeroDivisionError: one by nothing"] * 2, ""]
    assert list(frame["square"].fillna(-1)) == [0, -1, -1, 9]
    same(run_sweep(sweep, tmp_path / "out", workers=1), frame)
    assert len(logged(tmp_path)) == 4
    assert "2 of them failed or ended early; --retry-failed computes them again" in caplog.text
    (tmp_path / "mended").touch()
    frame = run_sweep(sweep, tmp_path / "out", workers=1, retry_failed=True)
    assert logged(tmp_path)[4:] == [1, 2]
    assert frame["error"].isna().all()
    assert list(frame["square"]) == [0, 1, 4, 9]


def test_cells_of_another_version_are_computed_anew_and_that_is_told(tmp_path: Path, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    run_sweep(squares(tmp_path, 2), tmp_path / "out", workers=1)
    monkeypatch.setattr("eval.sweep.cells.__version__", "9.9")
    run_sweep(squares(tmp_path, 3), tmp_path / "out", workers=1)
    assert logged(tmp_path) == [0, 1, 0, 1, 2]
    assert "2 cells are there of another version of secagent or its code, and computed anew" in caplog.text
    assert len(Store(tmp_path / "out" / "cells").table()) == 5


def test_a_cell_that_occurs_twice_is_computed_once(tmp_path: Path):
    sweep = squares(tmp_path, 2)
    frame = run_sweep(Sweep([*sweep.cells, *sweep.cells]), tmp_path / "out", workers=1)
    assert list(frame["value"]) == [0, 1, 0, 1]
    assert logged(tmp_path) == [0, 1]


# --- The store -----------------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),  # which cell
            st.sampled_from(["good", "bad", "long"]),
            st.sampled_from(["append", "append and compact", "discard"]),
            st.integers(0, 1),  # by which of two processes
        ),
        max_size=14,
    )
)
def test_the_store_keeps_the_best_of_each_cell(tmp_path_factory: pytest.TempPathFactory, events: list):
    folder = tmp_path_factory.mktemp("cells")
    stores = [Store(folder), Store(folder)]
    cells = [Cell("sweep_cells:square", "e", "s", i) for i in range(6)]
    expected: dict[str, tuple[bool, list]] = {}
    for stamp, (which, ending, action, writer) in enumerate(events):
        cell, store = cells[which], stores[writer]
        if action == "discard":
            store.discard([cell.key])
            expected.pop(cell.key, None)
            continue
        rows = {"good": [{"x": stamp}], "bad": [], "long": [{"x": stamp}, {"x": "text"}]}[ending]
        store.append([(cell, Done(cell.key, rows, "oh" if ending == "bad" else None, 0.1, float(stamp)))])
        if action != "append":
            store.compact()
        good = ending != "bad"
        if good or not expected.get(cell.key, (False, []))[0]:
            expected[cell.key] = (good, [str(row["x"]) for row in rows] or ["None"])
    found = Store(folder).records([cell.key for cell in cells])
    shown = {key: (rows[0]["error"] is None, [str(row.get("x")) for row in rows]) for key, rows in found.items()}
    assert shown == expected


def test_many_parts_become_few_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("eval.sweep.store.PARTS", 4)
    store = Store(tmp_path)
    cells = [Cell("sweep_cells:square", "e", "s", i) for i in range(10)]
    for cell in cells:
        store.append([(cell, Done(cell.key, [{"x": 1}]))])
    assert len(list(tmp_path.glob("*.parquet"))) == 2 + 2
    store.compact()
    assert len(list(tmp_path.iterdir())) == 1
    assert set(store.table()["key"].to_pylist()) == {cell.key for cell in cells}


def test_a_file_of_a_newer_version_is_refused_and_kept(tmp_path: Path):
    (tmp_path / "cells").mkdir()
    path = tmp_path / "cells" / "newer.parquet"
    parquet.write_table(pyarrow.table({"key": ["a"]}).replace_schema_metadata({FORMAT: b"2"}), path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"has format version 2, this secagent reads 1: use another folder, or the "):
        run_sweep(squares(tmp_path, 2), tmp_path, workers=1)
    assert path.read_bytes() == before
    assert logged(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_told_before_anything_is_computed(tmp_path: Path):
    (tmp_path / "cells").mkdir(mode=0o555)
    with pytest.raises(PermissionError) as refused:
        run_sweep(squares(tmp_path, 2), tmp_path, workers=1)
    assert (refused.value.strerror, refused.value.filename) == ("Permission denied", str(tmp_path / "cells"))
    assert logged(tmp_path) == []


def test_a_disk_that_fills_up_keeps_what_is_finished_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Full(Store):
        def _write(self, table):
            if len(list(self.folder.glob("*.parquet"))) == 2:
                monkeypatch.setattr("eval.sweep.store.write_bytes", refuse)
            return super()._write(table)

    def refuse(path, content):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(eval_sweep, "Store", Full)
    with pytest.raises(OSError, match="No space left") as full:
        run_sweep(squares(tmp_path, 5), tmp_path / "out", workers=1)
    monkeypatch.undo()
    assert full.value.filename == str(tmp_path / "out" / "cells")
    frame = run_sweep(squares(tmp_path, 5), tmp_path / "out", workers=1)
    assert list(frame["square"]) == [0, 1, 4, 9, 16]
    assert logged(tmp_path).count(0) == logged(tmp_path).count(1) == 1


# --- Several workers -----------------------------------------------------------------------------------------


@given(
    st.lists(st.one_of(st.none(), st.floats(0, 2)), max_size=50),
    st.floats(0.01, 1),
)
def test_chunks_hold_every_cell_in_order_and_take_as_long_as_they_should(times: list, seconds: float):
    cells = [Cell("f:g", "e", "s", i) for i in range(len(times))]
    cut = list(chunks(cells, seconds, lambda cell: times[cell.value]))
    assert [cell for chunk in cut for cell in chunk] == cells
    for chunk in cut:
        known = [times[cell.value] for cell in chunk]
        assert len(chunk) == 1 or (None not in known and sum(known) <= seconds * (1 + 1e-9))
    for one, other in itertools.pairwise(cut):  # none could have been longer
        total = [times[cell.value] for cell in (*one, other[0])]
        assert None in total or sum(total) > seconds


def test_a_worker_with_other_code_is_refused():
    with pytest.raises(ValueError, match=r"^a worker does not have the code of this run \(solvers\): another version"):
        compute_chunk([], Work(None, {("solvers",): "0123"}))
    with pytest.raises(ValueError, match=r"^a worker does not have the code of this run \(no_such_module\)"):
        compute_chunk([], Work(None, {("no_such_module",): "0123"}))


def test_workers_that_die_are_replaced_and_only_what_kills_them_fails(tmp_path: Path, caplog):
    caplog.set_level(logging.INFO)
    sweep = squares(tmp_path, 30, kills=[4], fails=[9], sleep=0.01)
    frame = run_sweep(sweep, tmp_path / "out", workers=2)
    errors = frame.set_index("value")["error"].dropna().to_dict()
    assert errors == {4: DIED, 9: "ZeroDivisionError: one by nothing"}
    assert logged(tmp_path).count(4) == 2 + TRIES
    assert "a worker process died; another takes its place" in caplog.text
    assert list(frame["square"].dropna()) == [v**2 for v in range(30) if v not in errors]


def test_a_cell_whose_worker_is_killed_again_and_again_is_innocent_if_it_ever_survives(tmp_path: Path):
    sweep = squares(tmp_path, 3, kills=[2], survives_after=4)
    frame = run_sweep(sweep, tmp_path / "out", workers=2)
    assert list(frame["square"]) == [0, 1, 4]
    assert frame["error"].isna().all()


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds processes in /proc")


def kill_workers(tmp_path: Path, cells: int, number: int, seed: int) -> None:
    """Kill so many workers of a sweep from outside, and compare its rows with those of one that was let alone."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(tmp_path), str(cells)], env=ENVIRONMENT, stdout=subprocess.PIPE
    )
    chance, killed = random.Random(seed), set[int]()
    while len(killed) < number:
        done = len(logged(tmp_path))
        wait_until(lambda done=done: len(logged(tmp_path)) > done + 2)
        wait_until(lambda: set(children(process.pid)) - killed)
        victim = chance.choice(sorted(set(children(process.pid)) - killed))
        os.kill(victim, signal.SIGKILL)
        killed.add(victim)
        time.sleep(chance.uniform(0, 0.3))
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert output.decode().split() == [str(v**2) for v in range(cells)]
    whole = run_sweep(squares(tmp_path, cells, sleep=0.1), tmp_path / "out", workers=1)
    assert whole["error"].isna().all()


@needs_proc
def test_workers_that_are_killed_from_outside_cost_no_cell(tmp_path: Path):
    kill_workers(tmp_path, 30, 3, 0)


@needs_proc
@pytest.mark.slow
def test_twenty_workers_that_are_killed_from_outside_cost_no_cell(tmp_path: Path):
    kill_workers(tmp_path, 400, 20, 1)


RUN = """
import sys
from pathlib import Path
import sweep_cells
from eval.sweep.engine import run_sweep
folder = Path(sys.argv[1])
sweep = sweep_cells.squares(folder, int(sys.argv[2]), sleep=0.1)
frame = run_sweep(sweep, folder / "out", workers=2)
print(*map(int, frame["square"]))
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2] / "support"), *sys.path])}


def children(pid: int) -> list[int]:
    """The worker processes of a process."""
    found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    found += [int(c) for t in Path(f"/proc/{pid}/task").iterdir() for c in (t / "children").read_text().split()]
    return sorted({pid for pid in found if b"popen_loky" in Path(f"/proc/{pid}/cmdline").read_bytes()})


def wait_until(true, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def kill_and_resume(tmp_path: Path, cells: int, moments: list[float]) -> None:
    """Kill a run with all its workers at some moments (s after its next cell), let it finish, and compare its rows."""
    for moment in moments:
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(tmp_path), str(cells)], env=ENVIRONMENT, start_new_session=True
        )
        begun = len(logged(tmp_path))
        wait_until(lambda begun=begun, process=process: len(logged(tmp_path)) > begun or process.poll() is not None)
        time.sleep(moment)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run([sys.executable, "-c", RUN, str(tmp_path), str(cells)], env=ENVIRONMENT, check=True)
    counts = [logged(tmp_path).count(v) for v in range(cells)]
    assert min(counts) >= 1
    # Lost was what the two workers had in hand, and one more cell each before they noticed.
    assert sum(counts) <= cells + 2 * 2 * len(moments)
    resumed = run_sweep(squares(tmp_path, cells, sleep=0.1), tmp_path / "out", workers=1)
    assert sum(logged(tmp_path).count(v) for v in range(cells)) == sum(counts)
    same(resumed, run_sweep(squares(tmp_path, cells), tmp_path / "alone", workers=1))
    assert {path.suffix for path in (tmp_path / "out" / "cells").iterdir()} == {".parquet"}


def test_a_run_that_is_killed_resumes_to_the_same_rows(tmp_path: Path):
    kill_and_resume(tmp_path, 12, [0.0, 0.17])


@pytest.mark.slow
def test_a_run_that_is_killed_at_fifty_moments_resumes_to_the_same_rows(tmp_path: Path):
    chance = random.Random(1)
    kill_and_resume(tmp_path, 300, [chance.uniform(0, 0.5) for _ in range(50)])


def test_two_processes_on_one_folder(tmp_path: Path):
    command = [sys.executable, "-c", RUN, str(tmp_path), "12"]
    both = [subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0].decode().split() for process in both]
    assert outputs == [[str(v**2) for v in range(12)]] * 2
    assert len(Store(tmp_path / "out" / "cells").table()) == 12


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_a_finaliser_drops_ends_the_sweep_and_keeps_what_is_finished(tmp_path: Path, monkeypatch):
    append, sweep = Store.append, squares(tmp_path, 4)

    def interrupted(store: Store, finished) -> None:
        interrupt_in_finaliser()
        append(store, finished)

    with monkeypatch.context() as patched:
        patched.setattr(Store, "append", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_sweep(sweep, tmp_path / "out", workers=1)
    assert logged(tmp_path) == [0]
    run_sweep(sweep, tmp_path / "out", workers=1)
    assert logged(tmp_path) == [0, 1, 2, 3]


@needs_proc
def test_an_interrupt_leaves_no_process_behind(tmp_path: Path):
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(tmp_path), "400"], env=ENVIRONMENT, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    wait_until(lambda: len(logged(tmp_path)) >= 4)
    workers = children(process.pid)
    assert len(workers) == 2
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: to the workers too
    _, errors = process.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert process.returncode == -signal.SIGINT
    assert errors.count("Traceback") == 1  # that of this script; none of a worker
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), seconds=5)


# --- Progress and plans --------------------------------------------------------------------------------------


def test_progress_is_logged_where_there_is_no_terminal(tmp_path: Path, caplog, monkeypatch: pytest.MonkeyPatch):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(eval_sweep, "LOG_SECONDS", 0.0)
    run_sweep(squares(tmp_path, 3), tmp_path / "out", workers=1, progress=False)
    assert "1 of 3 cells are finished, about 1 s left" in caplog.text


def test_a_plan_counts_and_estimates_and_writes_nothing(tmp_path: Path):
    sweep = squares(tmp_path, 41, sleep=0.05, fails=[3])
    before = plan(sweep, tmp_path / "out", workers=1)
    assert (before.cells, before.finished, before.failed, before.missing) == (41, 0, 0, 41)
    assert before.seconds == pytest.approx(41 * 0.05, rel=0.5)
    assert len(logged(tmp_path)) == 1
    assert not (tmp_path / "out").exists()
    run_sweep(squares(tmp_path, 5, sleep=0.05, fails=[3]), tmp_path / "out", workers=1)
    after = plan(sweep, tmp_path / "out", workers=4)
    assert (after.finished, after.failed, after.missing) == (4, 1, 36)
    assert after.seconds == pytest.approx(36 * 0.05 / 4, rel=0.5)
    assert str(after) == "41 cells: 4 finished, 1 failed, 36 to be computed, in about 1 s on 4 workers"
    assert plan(sweep, tmp_path / "out", workers=4, retry_failed=True).missing == 37
    assert plan(sweep, tmp_path / "out", workers=4, fresh=True).missing == 41


def test_a_plan_spends_no_money(tmp_path: Path):
    cells = [replace(cell, paid=True) for cell in squares(tmp_path, 3).cells]
    shown = str(plan(Sweep(cells), tmp_path / "out", workers=1))
    assert shown.endswith("in about 1 s on 1 worker, and longer for plain, of whose time nothing is known")
    assert logged(tmp_path) == []


def test_times_in_words():
    words = {0.0: "1 s", 41: "41 s", 89.9: "90 s", 100: "2 min", 5399: "90 min", 7200: "2 h", 86400 * 3: "3 days"}
    assert {seconds: in_words(seconds) for seconds in words} == words


# --- A cluster -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scheduler():
    """The address of a Dask scheduler with two workers on this machine."""
    dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
    at_once = dask.config.set({"distributed.scheduler.allowed-failures": 0})  # a task that kills a worker has failed
    with (
        at_once,
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", protocol="tcp") as local,
    ):
        yield local.scheduler_address


def test_a_cluster_gives_the_rows_that_this_machine_gives(scheduler: str, tmp_path: Path):
    small = Scenario.preset("small")
    sweep = sweep_of(Comparison(scenario=small, solvers={"exact": {}, "randas": {}}, instances=12).cells())
    on_cluster = run_sweep(sweep, tmp_path / "cluster", scheduler=scheduler)
    here = run_sweep(sweep, tmp_path / "here", workers=2)
    pandas.testing.assert_frame_equal(*(f.drop(columns=[*TIMING, "seconds"]) for f in (on_cluster, here)))
    assert len(here) == 24


def test_a_plan_for_a_cluster_counts_its_workers(scheduler: str, tmp_path: Path):
    assert plan(squares(tmp_path, 6), tmp_path / "out", scheduler=scheduler).workers == 2


def test_a_cluster_replaces_workers_that_die(scheduler: str, tmp_path: Path):
    frame = run_sweep(squares(tmp_path, 6, kills=[4]), tmp_path / "out", scheduler=scheduler)
    assert frame.set_index("value")["error"].dropna().to_dict() == {4: DIED}
    assert list(frame["square"].dropna()) == [0, 1, 4, 9, 25]


def test_a_scheduler_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(eval_cluster, "CONNECT_SECONDS", 0.5)
    with pytest.raises(OSError, match=r"^no Dask scheduler answers at tcp://127.0.0.1:9 within 0.5 s; start one with"):
        Cluster("tcp://127.0.0.1:9")


# --- Many cells ----------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=4), st.integers(-20, 20))
def test_sequences_of_cells_are_those_of_a_list(parts: list, place: int):
    grids = [
        Grid([Cell("sweep_cells:square", str(number), "s", v) for v in range(size)], count)
        for number, (size, count) in enumerate(parts)
    ]
    chain, listed = Chain(grids), [cell for grid in grids for cell in grid]
    assert list(chain) == listed
    assert len(chain) == len(listed)
    assert chain[place:] == listed[place:]
    assert all(chain[at] == cell for at, cell in enumerate(listed))
    assert [cell.key for cell in chain] == [replace(cell).key for cell in listed]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=6))
def test_a_union_of_ranges_has_each_number_once(ends: list):
    joined = union(range(*pair) for pair in ends)
    assert [n for one in joined for n in one] == sorted({n for pair in ends for n in range(*pair)})


def test_a_plan_counts_millions_without_making_them(tmp_path: Path):
    few = replace(squares(tmp_path, 1).cells[0], options={"log": str(tmp_path / "log")})
    run_sweep(Sweep(Grid([few], 3)), tmp_path / "out", workers=1)
    made = Grid([few], 10**9)
    began = time.process_time()
    shown = plan(Sweep(Chain([made, made, [few.at(7)]])), tmp_path / "out", workers=1)
    assert (shown.cells, shown.finished, shown.missing) == (10**9, 3, 10**9 - 3)
    assert time.process_time() - began < 1
    with pytest.raises(ValueError, match=r"^1000000000 cells are more than a run can hold; it can hold 10000000$"):
        run_sweep(Sweep(made), tmp_path / "out", workers=1)


@pytest.mark.parametrize("command", ["compare", "reproduce fig4 --agents", "study law"])
def test_a_count_that_nothing_could_compute_is_refused(command: str, tmp_path: Path, capsys: pytest.CaptureFixture):
    assert main([*command.split(), "--instances", str(10**11), "--dry-run", "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == (
        "secagent: error: instances must be at most 1000000000, got 100000000000: nothing could compute so many\n"
    )

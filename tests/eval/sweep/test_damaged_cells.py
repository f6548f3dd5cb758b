"""Damaged files in a results folder: named, neither believed nor waited for, and what they held is computed anew."""

import math
import os
import random
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from sweep_cells import squares

from eval.sweep import cell_files
from eval.sweep.cell_files import FORMAT, VERSION, Damaged
from eval.sweep.engine import read_results, run_sweep
from eval.sweep.plan import plan
from eval.sweep.store import Store

pandas = pytest.importorskip("pandas")
pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

SQUARES = [v**2 for v in range(6)]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A results folder with the squares of 0 to 5 in one file."""
    run_sweep(squares(tmp_path, 6), tmp_path / "out", workers=1)
    (tmp_path / "log").unlink()
    return tmp_path / "out"


def file_in(out: Path) -> Path:
    [path] = (out / "cells").glob("*.parquet")
    return path


def computed(out: Path) -> int:
    """How many cells were computed since the folder was made."""
    log = out.parent / "log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def again(out: Path) -> list[int]:
    return list(run_sweep(squares(out.parent, 6), out, workers=1)["square"])


def altered(path: Path, change: Callable) -> None:
    """Replace a file by one whose rows are changed and whose digest fits."""
    table, _ = cell_files.read(path)
    path.write_bytes(cell_files.pack(pyarrow.Table.from_pylist(change(table.to_pylist()))))


# --- Bits ----------------------------------------------------------------------------------------------------


def flips(out: Path, number: int, seed: int) -> None:
    """Flip bits, one at a time, and read: what is read is what was written, or the file is called damaged."""
    path = file_in(out)
    content = path.read_bytes()
    written, _ = cell_files.read(path)
    chance = random.Random(seed)
    refused = 0
    for _ in range(number):
        flipped = bytearray(content)
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        try:
            table, _ = cell_files.read(path)
        except ValueError:  # damaged, or of another version
            refused += 1
        else:
            assert table.equals(written)
    assert refused > number / 2


def test_no_flipped_bit_changes_a_number(out: Path):
    flips(out, 300, 0)


@pytest.mark.slow
def test_no_flipped_bit_changes_a_number_in_many(tmp_path: Path):
    for seed in range(5):
        folder = tmp_path / str(seed)
        folder.mkdir()
        run_sweep(squares(folder, 1 + 20 * seed, fails=[3]), folder / "out", workers=1)
        flips(folder / "out", 1000, seed)


def test_other_numbers_with_right_check_sums_are_noticed(out: Path):
    path = file_in(out)
    table = parquet.read_table(path)
    at = table.column_names.index("square")
    parquet.write_table(table.set_column(at, "square", [[7] * len(table)]), path, write_page_checksum=True)
    with pytest.raises(Damaged, match=r"^its content is not what its digest says$"):
        cell_files.read(path)
    assert again(out) == SQUARES


def test_cells_of_an_earlier_version_are_read_and_called_unverified_once(out: Path, caplog):
    path = file_in(out)
    table = parquet.read_table(path)
    parquet.write_table(table.replace_schema_metadata({FORMAT: VERSION}), path)
    assert again(out) == SQUARES
    assert computed(out) == 0
    assert [record.message for record in caplog.records] == [
        f"without a digest, and so unverified, is what is read from {path}"
    ]


# --- What is there instead of a file -------------------------------------------------------------------------


def listen(name: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)


THINGS: dict[str, Callable[[Path], object]] = {
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a link to a pipe": lambda path: (os.mkfifo(path.with_name("pipe")), path.symlink_to("pipe")),
    "a socket": lambda path: listen(path.name),
    "notes": lambda path: path.write_text("my notes\n"),
    "nothing": lambda path: path.touch(),
    "foreign": lambda path: parquet.write_table(pyarrow.table({"a": [1]}), path),
}


@pytest.mark.parametrize("thing", THINGS)
def test_what_is_no_file_of_cells_is_named_set_aside_and_never_waited_for(
    out: Path, thing: str, caplog, monkeypatch: pytest.MonkeyPatch
):
    path = out / "cells" / "x.parquet"
    monkeypatch.chdir(path.parent)  # the name of a socket must be short
    THINGS[thing](path)
    before = os.lstat(path)
    assert len(read_results(out)) == 6
    assert f"{path} is left out: it " in caplog.text
    plan(squares(out.parent, 6), out, workers=1)
    assert os.lstat(path).st_ino == before.st_ino  # who only reads changes nothing
    assert again(out) == SQUARES
    assert f"{path} is set aside as x.parquet.damaged" in caplog.text
    assert os.lstat(f"{path}.damaged").st_ino == before.st_ino
    assert not os.path.lexists(path)
    assert computed(out) == 0


def test_files_that_were_set_aside_never_replace_each_other(out: Path):
    for content in ("one", "two", "three"):
        (out / "cells" / "x.parquet").write_text(content)
        again(out)
    aside = sorted(path.name for path in (out / "cells").glob("x.*"))
    assert aside == ["x.parquet.damaged", "x.parquet.damaged-2", "x.parquet.damaged-3"]


def test_a_damaged_file_is_computed_anew_and_the_others_are_kept(out: Path):
    run_sweep(squares(out.parent, 9), out, workers=1)
    before = computed(out)
    file = file_in(out)
    file.write_bytes(file.read_bytes()[:-9])
    assert again(out) == SQUARES
    assert computed(out) == before + 6
    assert (out / "cells" / f"{file.name}.damaged").exists()


# --- Rows ----------------------------------------------------------------------------------------------------


def changed(**fields: object) -> Callable[[list[dict]], list[dict]]:
    return lambda rows: [rows[0] | fields, *rows[1:]]


ALTERATIONS: dict[str, tuple[Callable[[list[dict]], list[dict]], int]] = {
    "no key": (changed(key=None), 1),
    "no options": (changed(options=None), 1),
    "deep options": (changed(options="[" * 100_000), 1),
    "infinite time": (changed(cell_seconds=math.inf), 1),
    "no end": (changed(finished=math.nan), 1),
    "negative part": (changed(part=-1), 1),
    "another part": (changed(part=1), 1),
    "two parts": (lambda rows: [*rows, rows[0] | {"part": 2}], 1),
    "twice": (lambda rows: [*rows, rows[0]], 1),
    "two computations": (lambda rows: [*rows, rows[0] | {"part": 1, "finished": 1.0}], 1),
    "columns missing": (lambda rows: [{"key": row["key"]} for row in rows], 6),
    "numbers as texts": (lambda rows: [row | {"part": str(row["part"])} for row in rows], 6),
    "no rows": (lambda rows: [], 6),
}


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_altered_rows_with_a_right_digest_are_named_and_computed_anew(out: Path, alteration: str, caplog):
    change, wrong = ALTERATIONS[alteration]
    path = file_in(out)
    altered(path, change)
    assert len(read_results(out)) == 6 - wrong
    assert f"{path} is left out" in caplog.text
    assert again(out) == SQUARES
    assert computed(out) == wrong
    assert path.with_name(f"{path.name}.damaged").exists()
    caplog.clear()
    assert again(out) == SQUARES
    assert caplog.text == ""


@pytest.mark.parametrize("value", [None, math.inf, -1.0, "four", "[" * 100_000])
def test_a_row_that_is_not_what_its_function_promises_is_computed_anew(out: Path, value: object, caplog):
    def change(rows: list[dict]) -> list[dict]:
        kept = [row | {"square": value} if row["value"] == 2 else row for row in rows]
        texts = isinstance(value, str)
        return [row | {"square": str(row["square"])} for row in kept] if texts else kept

    altered(file_in(out), change)
    assert plan(squares(out.parent, 6), out, workers=1).missing == 1
    assert again(out) == SQUARES
    assert computed(out) == 1
    [message] = [record.message for record in caplog.records if "set aside" in record.message]
    assert "the cell experiment squares, scheme plain, value 2, seed 0, index 0: square is " in message
    assert len(list((out / "cells").glob("*.damaged"))) == 1


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        (lambda: same("x" * 1_000_000, 2_000), "its column x has texts too long for it"),
        (lambda: same(1.0, 40_000_000), "it says that it has 40000000 rows of 1 columns, too many for it"),
        (lambda: pyarrow.array([[1]]), "its column x is of the type list<element: int64>, which no result has"),
    ],
)
def test_columns_that_would_take_much_memory_are_not_read(tmp_path: Path, column: Callable, sentence: str):
    table = pyarrow.table({"x": column()})
    with parquet.ParquetWriter(tmp_path / "x.parquet", table.schema, store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({FORMAT: VERSION})
    with pytest.raises(Damaged) as refused:
        cell_files.read(tmp_path / "x.parquet")
    assert str(refused.value) == sentence


def test_a_failed_cell_has_no_results(out: Path):
    failure = {"error": "ZeroDivisionError: one by nothing", "square": 7}
    altered(file_in(out), lambda rows: [row | failure if row["value"] == 0 else row for row in rows])
    frame = run_sweep(squares(out.parent, 6), out, workers=1)
    assert frame["error"].notna().sum() == 1
    left = [square for square, kept in zip(SQUARES, frame["error"].isna(), strict=True) if kept]
    assert frame["square"].dropna().tolist() == left


def same(value: object, number: int):
    """A column that has a value so many times, which takes little in a file."""
    return pyarrow.DictionaryArray.from_arrays(pyarrow.nulls(number, "int32").fill_null(0), [value])


# --- Leftovers -----------------------------------------------------------------------------------------------


def test_what_a_killed_writer_left_is_removed(out: Path):
    left = out / "cells" / f".x.parquet.{'0' * 8}-{'0' * 16}.partial"
    left.write_bytes(b"half a file, of another machine, long ago")
    os.utime(left, (0, 0))
    Store(out / "cells").table()
    assert left.exists()
    again(out)
    assert not left.exists()

"""Whether rows in a file of cells are those of a sweep: complete cells, with all the bookkeeping that every row has."""

from __future__ import annotations

from typing import Any

from eval.sweep.cells import LABELS
from secagent_env.support.extras import require
from secagent_env.support.reading import parse_json

TEXTS = ("key", "experiment", "scheme", "function", "options", "kind", "version", "sources")
NUMBERS = {"part": 1e9, "cell_seconds": 1e11, "finished": 9e9}
"""Columns of numbers from 0, and what they stay below; times end in the year 2255."""
COLUMNS = {
    **dict.fromkeys(TEXTS, ("string",)),
    "part": ("int64",),
    **dict.fromkeys(("cell_seconds", "finished"), ("double", "int64")),
    **dict.fromkeys(("seed", "index"), ("int64", "string")),  # text where they need more than 64 bits
    "value": ("null", "bool", "int64", "double", "string"),
    "error": ("null", "string"),
}
"""The columns that every row has, with the types that they may have."""
EMPTY = ("value", "error")
"""Columns in which there may be nothing."""


def sound_rows(table: Any) -> tuple[Any, str | None]:
    """Return the rows of a table whose cells are complete and sound, and what is wrong with the first other one."""
    for name, types in COLUMNS.items():
        if name not in table.column_names:
            return table[:0], f"it has no column {name}"
        if table.column_names.count(name) > 1 or str(table[name].type) not in types:
            return table[:0], f"its column {name} is not of the type {' or '.join(types)}"
    if len(set(table.column_names)) < table.num_columns:
        return table[:0], "it has two columns of one name"
    for reason, wrong in (*_wrong_rows(table), *_wrong_cells(table)):
        keys = table.filter(wrong)["key"].unique()
        if len(keys):
            return _others(table, keys, reason)
    return table, None


def _others(table: Any, keys: Any, reason: str) -> tuple[Any, str]:
    """Return the sound rows of those whose keys are none of these, and which cell has which fault."""
    import pyarrow.compute as compute

    theirs = compute.fill_null(compute.is_in(table["key"], keys), True)
    first = table.filter(theirs).slice(0, 1).to_pylist()[0]
    others, _ = sound_rows(table.filter(compute.invert(theirs)))
    return others, f"{name_of(first)}: {reason}"


def name_of(row: Any) -> str:
    """Return which cell a row is of, for people."""
    labels = [f"{name} {row[name]!s:.40}" for name in LABELS if row.get(name) is not None]
    return f"the cell {', '.join(labels)}"


def _wrong_rows(table: Any) -> list[tuple[str, Any]]:
    """Return faults that a row shows by itself, each with whether a row has it."""
    import pyarrow.compute as compute

    faults = [(f"its {name} is missing", table[name].is_null()) for name in COLUMNS if name not in EMPTY]
    for name, below in NUMBERS.items():
        fine = compute.and_(compute.greater_equal(table[name], 0), compute.less(table[name], below))
        faults.append((f"its {name} is out of range", compute.invert(compute.fill_null(fine, True))))
    arrow = require("pyarrow", extra="eval")
    broken = [text for text in table["options"].unique().to_pylist() if text is not None and not _is_dict(text)]
    faults.append(
        ("its options are no JSON object", compute.is_in(table["options"], arrow.array(broken, arrow.string())))
    )
    return faults


def _wrong_cells(table: Any) -> list[tuple[str, Any]]:
    """Return faults that the rows of a cell show together, each with whether a row's cell has it."""
    import pyarrow.compute as compute

    if not len(table) or (table["key"].null_count == 0 and len(table["key"].unique()) == len(table)):
        lacking = compute.not_equal(table["part"], 0)  # a row each
        return [("rows of it are missing", lacking)]
    wanted = [("part", "min"), ("part", "max"), ("part", "count"), ("part", "count_distinct")]
    cells = table.group_by("key").aggregate([*wanted, ("finished", "min"), ("finished", "max")])
    twice = compute.not_equal(cells["part_count"], cells["part_count_distinct"])
    last = compute.equal(compute.add(cells["part_max"], 1), cells["part_count_distinct"])
    lacking = compute.invert(compute.and_(last, compute.equal(cells["part_min"], 0)))
    mixed = compute.not_equal(cells["finished_min"], cells["finished_max"])
    return [
        (reason, compute.is_in(table["key"], cells.filter(compute.fill_null(wrong, True))["key"].combine_chunks()))
        for reason, wrong in (
            ("a row is there twice", twice),
            ("rows of it are missing", lacking),
            ("its rows are of several computations", mixed),
        )
    ]


def _is_dict(text: str) -> bool:
    try:
        return isinstance(parse_json(text), dict)
    except ValueError:
        return False

"""Cells of the tests of sweeps, for workers to import: this module needs little and is imported fast."""

import os
import time
from pathlib import Path

import numpy as np

from eval.sweep.cells import Cell
from eval.sweep.engine import Sweep
from eval.sweep.promises import columns, count, returns


@returns(columns(square=count))
def square(cell: Cell):
    """Return the square of the value, after what the options tell to go wrong."""
    with open(cell.options["log"], "a") as log:
        log.write(f"{cell.value}\n")
    time.sleep(cell.options.get("sleep", 0.0))
    if cell.value in cell.options.get("kills", ()):
        tries = Path(cell.options["log"]).read_text().splitlines().count(str(cell.value))
        if tries <= cell.options.get("survives_after", tries):
            os._exit(9)
    if cell.value in cell.options.get("fails", ()) and not Path(cell.options["log"]).with_name("mended").exists():
        raise ZeroDivisionError("one by nothing")
    return {"square": cell.value**2}


def returned(cell: Cell):
    """Return what the options hold."""
    return cell.options["result"]


def squares(folder: Path, number: int, **options) -> Sweep:
    """Return a sweep over the values below a number, which writes down in ``folder`` what is computed."""
    options = {"log": str(folder / "log"), **options}
    return Sweep([Cell("sweep_cells:square", "squares", "plain", v, options=options) for v in range(number)])


def of_numpy(cell: Cell):
    """Return NumPy's kinds of values."""
    return {"a": np.float64(1.5), "b": np.arange(2), "c": np.array(np.inf), "d": np.bool_(True)}

"""Table V: selected agents answer the questions of public benchmarks, and the supervisor votes.

``python -m eval.experiments.votes.experiment --instances 100`` prints the table of ``docs/votes.md``. The agents are
simulated: each is right as often as (14) says at the difficulty of the data set, and they err together. The data sets
are read from the folder that ``--data`` or the environment names; where one is missing, the packaged sample stands for
it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.experiments.votes.cells import CORRELATION, Votes, run
from eval.experiments.votes.tables import figures, flat, markdown
from eval.sweep.engine import Sweep, completed, run_sweep
from secagent_env.support.extras import require
from secagent_env.support.files import write_text
from solvers.reasoning.endpoint import Group

NAME = "table5"
TABLE, CSV = f"{NAME}.md", f"{NAME}.csv"
SEED = 0


def behind_endpoints(
    votes: Votes,
    groups: Sequence[Group],
    out: Path,
    *,
    count: int = 100,
    data: Any = None,
    correlation: Any = None,
    **how: Any,
) -> str:
    """Return the table of the same agents when they are models behind endpoints; the arguments are those of `run`."""
    from eval.experiments.votes import endpoints as endpoint_votes

    able = votes.selections[votes.selections["index"].isin(votes.networks)]
    cells = endpoint_votes.asking(able, votes.asked, groups, count)
    return endpoint_votes.markdown(completed(run_sweep(Sweep(cells), out, **how)), votes.asked, groups)


def reproduce(instances: int, seed: int, out: Path, *, groups: Sequence[Group] = (), **how: Any) -> str:
    """Return Table V in Markdown; write it, its numbers and its picture into a folder.

    Parameters
    ----------
    instances, seed
        How many networks, and from which seed.
    out
        The folder; made if need be.
    groups
        Of agents behind endpoints, which answer too; their shares are those of the N agents.
    how
        The other arguments of :func:`eval.experiments.votes.cells.run`: ``count``, ``correlation``, ``data`` and those
        of :func:`eval.sweep.engine.run_sweep`.

    Raises
    ------
    ValueError
        For a bad argument, or if cells failed.
    """
    from eval.experiments.votes.picture import save_votes

    pandas = require("pandas", extra="eval")
    votes = run(instances, seed, out, **how)
    rows = figures(votes)
    text = markdown(votes, rows)
    if groups:
        text += f"\n{behind_endpoints(votes, groups, out, **how)}"
    write_text(out / TABLE, text)
    write_text(out / CSV, pandas.DataFrame([flat(row) for row in rows]).to_csv(index=False))
    save_votes(votes, rows, out / NAME)
    return text


def main(arguments: Sequence[str] | None = None) -> None:
    """Print Table V and write it."""
    parser = argparse.ArgumentParser(
        prog="python -m eval.experiments.votes.experiment", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--instances", type=int, default=100, metavar="K", help="networks; default: %(default)s")
    parser.add_argument(
        "--questions", type=int, default=100, metavar="Q", help="asked in each network, of each data set; default: 100"
    )
    parser.add_argument("--seed", type=int, default=SEED, help="default: %(default)s")
    parser.add_argument(
        "--correlation", type=float, default=CORRELATION, metavar="RHO", help="of the agents' errors; default: 0.5"
    )
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="of the data sets; default: SECAGENT_DATA")
    parser.add_argument("--groups", type=Path, metavar="FILE", help="agents behind endpoints, a TOML file, answer too")
    parser.add_argument("--out", type=Path, default=Path("results"), help="default: results; a run resumes there")
    parser.add_argument("--workers", type=int, metavar="K", help="processes (default: one per core)")
    parser.add_argument("--retry-failed", action="store_true", help="compute again what failed")
    options = parser.parse_args(arguments)
    how = {
        "count": options.questions,
        "correlation": options.correlation,
        "data": options.data,
        "workers": options.workers,
        "retry_failed": options.retry_failed,
    }
    try:
        if options.groups is not None:
            from eval.experiments.votes.endpoints import read_groups

            how["groups"] = read_groups(options.groups)
        print(reproduce(options.instances, options.seed, options.out, **how), end="")
    except (ValueError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()

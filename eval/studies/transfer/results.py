"""The figures of ``secagent study transfer`` from its rows, the table and the picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval.compare.looks import drawn, looks
from eval.stats.formatting import NONE, percent, tabulated, with_unit
from eval.stats.paired import over_seeds
from eval.stats.pictures import written_figure
from eval.stats.statistics import CONFIDENCE, excess, interval_in, spread

SHARES = {"feasible": "feasible", "gap": "over the certificate"}
"""Columns of the forward pass alone, with their headers; ``repaired_`` stands before those with the repair."""
FURTHER = {"median": "{:.3g} %", "in a batch": "{:.2f} ms"}
"""Further columns of the forward pass alone, where they were measured: the median gap in percent, and times."""
LEAST = 1e-4
"""Gaps are not drawn below it, percent."""


def figures(frame: Any, of: Mapping[str, tuple[str, int]]) -> Iterator[dict[str, Any]]:
    """Yield the figures of each preset and agent: shares, gaps and seconds, each a mean with its interval.

    The certificate of a network is the highest bound that any scheme proved; networks proved infeasible do not count.

    Parameters
    ----------
    frame
        Rows of :func:`eval.compare.rows.result_of` (pandas DataFrame), with the preset as ``value``.
    of
        By scheme, the agent and the seed of its training.
    """
    for preset, rows in frame.groupby("value", sort=False):
        table = {name: rows.pivot(index="index", columns="scheme", values=name) for name in _COLUMNS}
        possible = ~(table["status"] == "infeasible").any(axis=1).to_numpy(bool)
        certificate = np.nanmax(table["lower_bound_j"][possible].to_numpy(float), axis=1)
        present = [scheme for scheme in of if scheme in table["status"]]
        for agent in dict.fromkeys(of[scheme][0] for scheme in present):
            schemes = [scheme for scheme in present if of[scheme][0] == agent]
            own = {name: table[name][schemes][possible].to_numpy().T for name in _COLUMNS}  # (seeds, networks)
            feasible, energy = own["feasible"].astype(bool), own["energy_j"].astype(float)
            alone = feasible & (own["repaired"] != True)  # noqa: E712 (solvers have none)
            row: dict[str, Any] = {
                "preset": preset,
                "agent": agent,
                "trainings": len(schemes),
                "networks": int(possible.sum()),
            }
            for name, able in (("", alone), ("repaired_", feasible)):
                over = np.log(np.where(able, energy, np.nan) / certificate)
                row |= spread(f"{name}feasible", over_seeds(able))
                row |= spread(f"{name}gap", excess(over_seeds(np.maximum(over, 0.0))))
            gaps = np.maximum((energy / certificate - 1)[alone], 0.0)
            row["median"] = 100 * float(np.median(gaps)) if gaps.size else float("nan")
            yield row | spread("seconds", over_seeds(own["seconds"].astype(float)))


_COLUMNS = ("status", "feasible", "energy_j", "lower_bound_j", "repaired", "seconds")


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of the figures, in Markdown."""
    lines = []
    known = {name: form for name, form in FURTHER.items() if all(name in row for row in rows)}
    for row in rows:
        shares = [percent(interval_in(row, prefix + name)) for prefix in ("", "repaired_") for name in SHARES]
        minutes = NONE if np.isnan(row["cpu_minutes"]) else f"{row['cpu_minutes']:.1f}"
        time = with_unit(interval_in(row, "seconds"), "s", digits=3)
        further = [form.format(row[name]) if row[name] == row[name] else NONE for name, form in known.items()]
        lines.append([row["preset"], row["agent"], *shares, time, *further, minutes])
    headers = ["networks", "agent", *SHARES.values(), *(f"{header}, repaired" for header in SHARES.values())]
    networks = ", ".join({f"{row['networks']} of {row['preset']}": None for row in rows})
    note = (
        f"Test networks, without those proved infeasible: {networks}. Shares are of these; energies over the "
        "certificate, the highest bound that is proved, are geometric means of the feasible ones, all with "
        f"{CONFIDENCE:.0%} bootstrap intervals over the networks, and over the trainings where there are several. "
        "Times are of one decision, repair included."
    )
    if known:
        note += " Median and batch are of the forward pass alone; a batch is that of all networks, in processor time."
    return f"{tabulated(lines, [*headers, 'time', *known, 'CPU min of training'])}\n\n{note}\n"


def overview(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a line per preset and a column per agent: the feasible share of the forward pass, and the median gap."""
    agents = list(dict.fromkeys(row["agent"] for row in rows))
    cells = {(row["preset"], row["agent"]): _cell(row) for row in rows}
    presets = dict.fromkeys(row["preset"] for row in rows)
    lines = [[preset, *(cells.get((preset, agent), NONE) for agent in agents)] for preset in presets]
    note = "Feasible decisions without the repair, and their median energy over the certificate."
    return f"{tabulated(lines, ['networks', *agents])}\n\n{note}\n"


def _cell(row: Mapping[str, Any]) -> str:
    share = f"{100 * row['feasible']:.0f} %"
    if np.isnan(row["median"]):
        return share
    return f"{share}, {row['median'] if row['median'] >= LEAST else 0:.2g} %"


def draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw shares and gaps of all agents on each preset, and write the picture."""
    presets = list(dict.fromkeys(row["preset"] for row in rows))
    shown = looks(row["agent"] for row in rows)
    note = (
        f"Decisions of the forward pass alone, on networks that no training saw; bars are {CONFIDENCE:.0%} bootstrap "
        f"intervals. Gaps below {LEAST:g} % are drawn there."
    )
    with written_figure(path, 3.2 * len(presets) + 2, 6.4, note, grid="y") as figure:
        above, below = figure.subplots(2, 1, sharex=True)
        for ax, name, label in ((above, "feasible", "feasible, %"), (below, "gap", "energy over the certificate, %")):
            for place, (agent, look) in enumerate(shown.items()):
                own = [row for row in rows if row["agent"] == agent]
                at = [presets.index(row["preset"]) + 0.8 * ((place + 0.5) / len(shown) - 0.5) for row in own]
                mean, low, high = (
                    np.maximum(100 * np.array([row[name + end] for row in own], float), LEAST)
                    for end in ("", "_low", "_high")
                )
                spans = [mean - np.fmin(low, mean), np.fmax(high, mean) - mean]
                marker: dict[str, Any] = {"marker": look.marker, "color": look.light, "mfc": look.face, "ms": 6}
                ax.errorbar(at, mean, spans, ls="", label=drawn(agent), **marker)
            ax.set_ylabel(label)
        below.set_yscale("log")
        below.set_xticks(range(len(presets)), presets)
        figure.legend(*above.get_legend_handles_labels(), loc="outside right upper", frameon=False)

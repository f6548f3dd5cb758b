"""Table V with real models: the selected agents are language models behind OpenAI-compatible endpoints.

Selections, questions and votes are those of the simulated agents (:mod:`eval.experiments.votes.cells`); who is right,
the models decide.
"""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval.experiments.votes.cells import EXPERIMENT, PRINTED, TITLES, Asked, questions_of
from eval.stats.formatting import NONE, percent, tabulated
from eval.stats.statistics import CONFIDENCE, bootstrap_mean, share
from eval.sweep.cells import Cell, Row
from solvers.reasoning.endpoint import Agents, Group, grouped
from solvers.reasoning.team import Supervisor

FUNCTION = "eval.experiments.votes.endpoints:ask"
KEPT_OUT = ("api_key", "transcript", "replay")
"""Options of a group that no file may hold: keys come from the environment, and the sweep keeps what was answered."""


def read_groups(path: Path | str) -> tuple[Group, ...]:
    """Read groups of agents from a TOML file: tables ``[[group]]`` with the fields of a group.

    Raises
    ------
    ValueError
        If the file is no such file, or a field is unknown, wrong or not for files.
    OSError
        If it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            content = tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a valid TOML file: {error}") from None
    tables = content.get("group")
    if not isinstance(tables, list) or not tables or set(content) != {"group"}:
        raise ValueError(f"{path} must hold tables [[group]], one for each group of agents, and nothing else")
    return groups_of(tables, f"{path}: ")


def groups_of(tables: Sequence[Mapping[str, Any]], where: str = "") -> tuple[Group, ...]:
    """Return groups from their fields."""
    found = []
    for number, table in enumerate(tables, 1):
        for name in KEPT_OUT:
            if name in table:
                raise ValueError(f"{where}group {number} must not have {name}; a key is that of OPENAI_API_KEY")
        try:
            found.append(Group(**table))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{where}group {number}: {str(error).removeprefix('Group.__init__() ')}") from None
    return tuple(found)


def fields_of(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """Return the fields of groups that are not the default, as plain data."""
    default = vars(Group())
    return [
        {"agents": group.agents, **{k: v for k, v in vars(group).items() if k not in KEPT_OUT and v != default[k]}}
        for group in groups
    ]


def asking(selections: Any, asked: Sequence[Asked], groups: Sequence[Group], count: int) -> list[Cell]:
    """Return the cells in which the agents that were selected answer through their endpoints.

    The arguments are those of :func:`eval.experiments.votes.cells.asking`, and the groups.
    """
    paid = any(not group.in_process for group in groups)
    found = []
    for row in selections.itertuples():
        for each in asked:
            told = {"source": each.source, "path": each.path, "digest": each.digest, "count": count}
            options = {**told, "selected": json.loads(row.selected), "groups": fields_of(groups)}
            options["num_agents"] = len(json.loads(row.accuracy))
            found.append(Cell(FUNCTION, EXPERIMENT, row.scheme, each.name, row.seed, row.index, options, paid=paid))
    return found


def ask(cell: Cell) -> Row:
    """Return the row of a cell: right answers of the vote and of the agents of each group, faults, calls and tokens.

    Raises
    ------
    EndpointError
        If no selected agent can be reached.
    """
    told = cell.options
    groups = grouped(groups_of(told["groups"]), told["num_agents"])
    member = np.repeat(np.arange(len(groups)), [group.agents for group in groups])
    selection = np.isin(np.arange(told["num_agents"]), told["selected"])
    right, faults = 0, Counter[str]()
    by_group = np.zeros((len(groups), 2), int)
    with Agents(groups) as agents:
        supervisor = Supervisor(agents.reasoners)
        asked = questions_of(cell)
        for question, seed in asked:
            verdict = supervisor.ask(question, selection, seed)
            right += verdict.option == question.answer
            faults.update(verdict.faults)
            for agent, answer in verdict.answers.items():
                by_group[member[agent]] += (1, answer.option == question.answer)
        usage = agents.usage
    return {
        "asked": len(asked),
        "right": right,
        "answers_by_group": by_group[:, 0].tolist(),
        "right_by_group": by_group[:, 1].tolist(),
        "faults": json.dumps(dict(sorted(faults.items()))),
        "calls": sum(each.calls for each in usage),
        "tokens": sum(each.prompt_tokens + each.completion_tokens for each in usage),
    }


def markdown(rows: Any, asked: Sequence[Asked], groups: Sequence[Group]) -> str:
    """Return the table of the votes of real models, from the rows of :func:`ask` (a pandas DataFrame)."""
    who = [f"{group.agents} × {group.chat_name}" for group in groups]
    lines = []
    for each in asked:
        for scheme, own in rows[rows["value"] == each.name].groupby("scheme", sort=False):
            voted = bootstrap_mean(own["right"].to_numpy(float) / own["asked"].to_numpy(float))
            answers, right = (np.sum([json.loads(text) for text in own[name]], axis=0) for name in _BY_GROUP)
            alone = [percent(share(int(r), int(a))) if a else NONE for r, a in zip(right, answers, strict=True)]
            faults = Counter[str]()
            for text in own["faults"]:
                faults.update(json.loads(text))
            printed = PRINTED[each.name].get(scheme)
            lines.append(
                [
                    f"{TITLES[each.name]}{'' if each.source == each.name else ' (sample)'}",
                    scheme,
                    percent(voted),
                    NONE if printed is None else f"{printed:.0%}",
                    *alone,
                    ", ".join(f"{count} {name}" for name, count in sorted(faults.items())) or "none",
                    f"{int(own['calls'].sum())}, {int(own['tokens'].sum())}",
                ]
            )
    headers = ["data set", "scheme", "vote", "printed", *who, "faults", "calls, tokens"]
    table = tabulated(lines, headers)
    note = (
        f"Agents behind endpoints; (no LLM): rules stand in for a model. Votes with {CONFIDENCE:.0%} intervals over "
        "networks, an agent of each group with Wilson intervals over answers. An answer that names no option, or that "
        "did not come, counts as wrong."
    )
    return f"### Agents behind endpoints\n\n{table}\n\n{note}\n"


_BY_GROUP = ("answers_by_group", "right_by_group")

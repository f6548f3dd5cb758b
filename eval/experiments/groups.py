"""Groups of agents behind endpoints: read from TOML files, as plain data in the options of cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from secagent_env.support.reading import read_toml, short
from secagent_env.support.secrets import check_written
from solvers.reasoning.endpoint import Group

KEPT_OUT = ("api_key", "transcript", "replay")
"""Options of a group that no file may hold: keys come from the environment, and the sweep keeps the replies."""


def read_groups(path: Path | str | Sequence[Mapping[str, Any]]) -> tuple[Group, ...]:
    """Read groups of agents from a TOML file: tables ``[[group]]`` with the fields of a group; or take such tables.

    Raises
    ------
    ValueError
        If the file is no such file, or a field is unknown, wrong or not for files.
    OSError
        If it cannot be read.
    """
    if not isinstance(path, (Path, str)):
        return groups_of(path)
    content = read_toml(path)
    tables = content.get("group")
    if not isinstance(tables, list) or not tables or set(content) != {"group"}:
        raise ValueError(f"{path} must hold tables [[group]], one for each group of agents, and nothing else")
    return groups_of(tables, f"{path}: ")


def groups_of(tables: Sequence[Mapping[str, Any]], where: str = "") -> tuple[Group, ...]:
    """Return groups from their fields; errors begin with ``where``."""
    groups = []
    for number, table in enumerate(tables, 1):
        for name in KEPT_OUT:
            if name in table:
                raise ValueError(f"{where}group {number} must not have {name}; a key is that of OPENAI_API_KEY")
        try:
            check_written(table)
            groups.append(Group(**table))
        except (TypeError, ValueError) as error:
            reason = short(error, 800).removeprefix("Group.__init__() ")
            raise ValueError(f"{where}group {number}: {reason}") from None
    return tuple(groups)


def fields_of(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """Return the fields of groups that are not the default, as plain data."""
    default = vars(Group())
    return [
        {"agents": group.agents, **{k: v for k, v in vars(group).items() if k not in KEPT_OUT and v != default[k]}}
        for group in groups
    ]


def model_of_groups(path: Path | str | Sequence[Mapping[str, Any]] | None, experiment: str) -> dict[str, Any]:
    """Return the options of the one language model in the file of --groups, which an experiment asks.

    The errors are those of :func:`one_model`.
    """
    return one_model(path, experiment, ": name it with --groups, or take the recorded answers with --replay")


def one_model(path: Path | str | Sequence[Mapping[str, Any]] | None, who: str, instead: str = "") -> dict[str, Any]:
    """Return the options of the one language model in a file of groups, whose agents answer no questions.

    ``who`` needs the model; ``instead`` says what to do about it.

    Raises
    ------
    ValueError
        If not exactly one model is named, or with options of agents that answer questions.
    OSError
        If the file cannot be read.
    """
    groups = () if path is None else read_groups(path)
    if len(groups) != 1 or groups[0].model is None:
        raise ValueError(f"{who} needs one language model, in a file with one table [[group]]{instead}")
    [fields] = fields_of(groups)
    if own := sorted({"planning", "tool_calls", "width", "depth"} & set(fields)):
        raise ValueError(f"{own[0]} is an option of agents that answer questions, and not of {who}")
    return {name: value for name, value in fields.items() if name != "agents"}

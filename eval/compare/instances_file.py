"""Instances of the user's own in cells of a sweep: a path, and the digest of what is there."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from secagent_env import Instance, Scenario
from secagent_env.gym_bases.own_instances import InstanceSet
from secagent_env.model.instance_files import stored_digest

FIELD = "instances_file"
"""The option of a cell that holds them."""


def described(path: str | Path) -> dict[str, str]:
    """Return what a cell says of a file or folder of instances: where it is, and its digest."""
    return {"path": os.path.abspath(path), "digest": stored_digest(path)}


def own_scenario(path: str | Path) -> Scenario:
    """Return the scenario of the instances in a file or folder."""
    return _opened(os.path.abspath(path), stored_digest(path)).scenario


def own_count(path: str | Path) -> int:
    """Return how many instances a file or folder holds."""
    return len(_opened(os.path.abspath(path), stored_digest(path)))


def own_instance(file: Mapping[str, str], index: int) -> Instance:
    """Return instance ``index`` of those that a cell names.

    Raises
    ------
    ValueError
        If they were changed since the cell was made, or there are fewer.
    OSError
        If they cannot be read.
    """
    if stored_digest(file["path"]) != file["digest"]:
        raise ValueError(f"the instances in {file['path']} were changed, or are others on this machine")
    instances = _opened(file["path"], file["digest"])
    if not index < len(instances):
        raise ValueError(f"{file['path']} holds {len(instances)} instances, and no number {index}")
    return instances.one(index)


@functools.lru_cache(maxsize=2)
def _opened(path: str, digest: str) -> InstanceSet:
    return InstanceSet(path)


def check_count(count: Any, path: str | Path) -> None:
    """Raise ValueError if there are fewer instances than are wanted."""
    there = own_count(path)
    if count > there:
        raise ValueError(f"instances must be at most the {there} that {path} holds, got {count}")

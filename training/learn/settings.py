"""Settings of a training: hyperparameters from YAML, overridden by the caller, checked with errors for people.

``training/hyperparameters/ALGO.yaml`` has sections. ``default`` always holds; the name of any other section is one
or more words, each an environment (``allocation``, ``lifetime``), a preset (``paper``, …) or a policy (``mlp``,
``equivariant``, …), and it holds where all of its words do. More words override fewer, of equally many the
later section the earlier; what the caller sets overrides all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from secagent_env.model.presets import PRESETS
from secagent_env.support import checks
from secagent_env.support.errors import check_name
from secagent_env.support.extras import require
from secagent_env.support.reading import MAX_TOML_BYTES, read_text, short

FOLDER = Path(__file__).parents[1] / "hyperparameters"
ENVIRONMENTS = {"allocation": "secagent/Allocation-v0", "lifetime": "secagent/Lifetime-v0"}
"""What can be trained on, by the name on the command line."""
POLICIES = ("mlp", "equivariant", "local", "relational")

_WORDS = {*ENVIRONMENTS, *PRESETS, *POLICIES}
_COUNTS = ("num_envs", "episodes_per_instance", "steps", "segment_steps", "evaluate_every")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a training is run with, besides its algorithm, scenario and seed.

    Attributes
    ----------
    policy
        ``"mlp"``, ``"equivariant"``, ``"local"`` or ``"relational"``.
    action_format, observation_format
        Of the environment.
    num_envs
        Environments stepped at once.
    episodes_per_instance
        How many consecutive episodes keep an instance.
    steps
        Environment steps (or instances, where there is no environment) in all.
    segment_steps
        Steps from one checkpoint to the next; environments and random numbers are seeded anew for each.
    evaluate_every
        Segments from one evaluation to the next.
    reward_scale
        What rewards are multiplied by for the algorithm, so that returns are of the order of 1; logs and evaluations
        show them as they are.
    environment_options
        Further keyword arguments of the environment, such as ``penalty_weight``.
    arguments
        Those of the algorithm itself.
    """

    policy: str = "equivariant"
    action_format: str = "guided"
    observation_format: str = "compact"
    num_envs: int = 256
    episodes_per_instance: int = 1
    steps: int = 1_000_000
    segment_steps: int = 100_000
    evaluate_every: int = 1
    reward_scale: float = 1.0
    environment_options: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name("policy", self.policy, POLICIES)
        for name in _COUNTS:
            checks.integer(name, getattr(self, name), 1)
        checks.number("reward_scale", self.reward_scale, above=0)
        if not isinstance(self.environment_options, Mapping):
            raise ValueError(f"environment_options must be names with values, got {self.environment_options!r}")

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain data, the algorithm's arguments among them."""
        plain = dataclasses.asdict(self)
        return plain | plain.pop("arguments")


def load_settings(
    algo: str,
    *,
    environment: str,
    preset: str | None,
    arguments: Iterable[str],
    overrides: Mapping[str, Any],
) -> Settings:
    """Return the settings of an algorithm, which names the YAML file, on an environment and a scenario's preset.

    ``arguments`` are the names that the algorithm itself takes, ``overrides`` what the caller sets, by name. ValueError
    where a name is unknown, or a value wrong.
    """
    valid = {f.name for f in dataclasses.fields(Settings)} - {"arguments"} | set(arguments)
    sections = _sections(FOLDER / f"{algo}.yaml", valid)
    for name in overrides:
        check_name(f"hyperparameter of {algo}", name, valid)
    words = {environment, preset}
    policy = overrides.get("policy") or _merged(sections, words).get("policy", Settings.policy)
    values = {**_merged(sections, {*words, policy}), **overrides, "policy": policy}
    own = {name: values.pop(name) for name in list(values) if name in set(arguments)}
    return Settings(**values, arguments=own)


def _merged(sections: Mapping[str, Mapping[str, Any]], words: set[str | None]) -> dict[str, Any]:
    """Return the values of all sections that hold, those of more words last."""
    merged: dict[str, Any] = {}
    holding = [name for name in sections if name != "default" and set(name.split()) <= words]
    for name in ["default", *sorted(holding, key=lambda name: len(name.split()))]:
        merged.update(sections.get(name, {}))
    return merged


def _sections(path: Path, valid: set[str]) -> dict[str, dict[str, Any]]:
    """Return the sections of a YAML file, all of their names checked."""
    yaml = require("yaml", "rl")
    try:
        sections = yaml.safe_load(read_text(path, MAX_TOML_BYTES)) or {}
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{path} is not valid YAML: {short(error)}") from error
    if not isinstance(sections, dict):
        raise ValueError(f"{path} must hold sections with names, got {sections!r}")
    for section, values in sections.items():
        for word in str(section).split():
            if section != "default":
                check_name(f"section of {path}", word, {"default", *_WORDS})
        if not isinstance(values, dict):
            raise ValueError(f"{path}: the section {section!r} must hold names with values, got {values!r}")
        for name in values:
            check_name(f"hyperparameter in the section {section!r} of {path}", name, valid)
    return {str(section): numbers(values) for section, values in sections.items()}


def numbers(value: Any) -> Any:
    """Return plain data with texts such as ``3e-4``, which YAML 1.1 does not read as a number, as numbers."""
    if isinstance(value, dict):
        return {name: numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [numbers(item) for item in value]
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value

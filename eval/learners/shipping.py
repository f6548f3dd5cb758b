"""Shipping: the policy of a training is copied to ``training/policies``, with a model card.

``secagent train --ship NAME RUN …`` ships the run, of several seeds, that is best on the validation instances;
``secagent study learners RUN … --ship NAME=LEARNER`` first judges the runs, and puts the results into the card.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import training.play.shipped
from eval.compare.comparison import changes
from eval.learners.runs import Judgement, Training
from secagent_env.support.errors import unknown_name
from secagent_env.support.files import write_bytes, write_text


def best_training(trainings: Sequence[Training], learner: str) -> Training:
    """Return the training of a learner that is best on the validation instances (the test instances must not choose).

    Raises ValueError if there is no such learner.
    """
    group = [one for one in trainings if one.learner == learner]
    if not group:
        raise unknown_name("learner", learner, {one.learner for one in trainings})
    return max(group, key=lambda one: one.score)


def ship(run: Training, name: str, results: Sequence[Judgement] = (), folder: Path | None = None) -> Path:
    """Copy the policy of a training into a folder, with its model card, and return the policy's path.

    ``training.load_agent`` finds the policy by its name in the default folder, ``training/policies``. The card shows
    those of the results that are this training's.

    Raises ValueError if the name has other characters than letters, digits and hyphens.
    """
    if not name.replace("-", "").isalnum():
        raise ValueError(f"an agent's name must consist of letters, digits and hyphens, got {name!r}")
    path = (folder or training.play.shipped.POLICIES) / f"{name}.onnx"
    write_bytes(path, (run.path / "policy.onnx").read_bytes())
    write_text(path.with_suffix(".md"), model_card(run, name, results))
    return path


def model_card(run: Training, name: str, results: Sequence[Judgement] = ()) -> str:
    """Return the model card of a policy: data, command, seed, budget, results and limits."""
    agent = training.load_agent(run.path / "policy.onnx")
    config, used = run.config, run.config.get("used", {})
    error = config.get("csi_error")
    changed = [changes(scenario) for scenario in run.scenarios]
    fixed = f"{run.scenario.num_agents} agents and {run.scenario.num_antennas} antennas only"
    takes = "any number of agents and antennas" if agent.any_agents else fixed
    size = (run.path / "policy.onnx").stat().st_size
    sections = [
        f"# {name}",
        f"A policy for `{agent.environment}`, trained with {config['algo']}: `training.load_agent({name!r})`. "
        f"{size / 1024:.0f} KB, ONNX. It sees the observation format `{agent.observation_format}`, acts in the action "
        f"format `{agent.action_format}`, and takes {takes}.",
        "## Training",
        _listed(
            {
                "Data": "random instances of the training seeds (`training/learn/seeds.py`) of the paper's scenario"
                + (", in turn" if len(changed) > 1 else "")
                + (f" with {' and '.join(map(json.dumps, changed))}" if any(changed) else "")
                + ", new ones all the time"
                + ("" if error is None else f"; channels of the eavesdroppers estimated with error variance {error:g}"),
                "Command": f"`{config.get('command', 'unknown')}`",
                "Seed": str(run.seed),
                "Budget": f"{run.steps:,} steps, {run.minutes:.1f} CPU minutes"
                + (f", {used['wall_seconds'] / 60:.1f} minutes" if "wall_seconds" in used else ""),
                "Chosen": "the parameters, and the seed, that were best on the validation instances",
                "Validation": f"`{json.dumps(config.get('best', {}))}`",
                "Hyperparameters": f"`{json.dumps(config['hyperparameters'])}`",
                "Versions": ", ".join(f"{key} {value}" for key, value in config.get("versions", {}).items()),
            }
        ),
        "## Results",
        _results([result for result in results if (result.learner, result.seed) == (run.learner, run.seed)]),
        "## Limits",
        "It knows networks like those it was trained on; `repair` mends decisions that are not feasible, and proves "
        "nothing. For a proof, or for other networks, use a solver.",
    ]
    return "\n\n".join(sections) + "\n"


def _listed(entries: dict[str, str]) -> str:
    return "\n".join(f"- {name}: {text}" for name, text in entries.items())


def _results(results: Sequence[Judgement]) -> str:
    """Return a table of the results of one policy, a row per number of agents."""
    if not results:
        return "Not measured here; the validation figures above are those by which it was chosen."
    lines = [
        f"On {results[0].gap.size} test instances of each N, which no training sees; energy over the certified bound.",
        "",
        "| N | feasible | over the bound | feasible, repaired | over the bound, repaired | ms each in a batch | "
        "ms alone |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in (result.row() for result in results):
        shares = " | ".join(
            f"{100 * row[key]:.2f} %" for key in ("feasible", "gap", "feasible_repaired", "gap_repaired")
        )
        lines.append(f"| {row['num_agents']} | {shares} | {row['batch_ms']:.3f} | {row['single_ms']:.2f} |")
    return "\n".join(lines)

"""Shipping: the policy of a run goes into ``training/policies``, with its model card.

``python -m eval.learners.shipping NAME RUN …`` ships that of the run, of several seeds, that is best on validation.
``python -m eval.learners.test_set --ship`` does the same after judging the runs, and puts the results into the card.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import training.play.shipped
from secagent_env import Scenario
from secagent_env.support.errors import unknown_name
from secagent_env.support.files import whole_file, write_text

if TYPE_CHECKING:
    from eval.learners.runs import Result, Run


def best_run(runs: Sequence[Run], learner: str) -> Run:
    """Return the run of a learner that is best on the validation instances (the test instances must not choose).

    Raises
    ------
    ValueError
        If there is no such learner.
    """
    group = [run for run in runs if run.learner == learner]
    if not group:
        raise unknown_name("learner", learner, {run.learner for run in runs})
    return max(group, key=lambda run: run.score)


def ship(run: Run, name: str, results: Sequence[Result] = (), folder: Path | None = None) -> Path:
    """Copy a run's policy into ``folder``, under a name, with its model card, and return the policy's path.

    Parameters
    ----------
    run
        A finished training.
    name
        By which ``training.load_agent`` finds it.
    results
        Those of all learners; the card shows those of this run.
    folder
        Default: ``training/policies``.
    """
    if not name.replace("-", "").isalnum():
        raise ValueError(f"an agent's name must consist of letters, digits and hyphens, got {name!r}")
    path = (folder or training.play.shipped.POLICIES) / f"{name}.onnx"
    with whole_file(path) as file:
        file.write((run.path / "policy.onnx").read_bytes())
    write_text(path.with_suffix(".md"), model_card(run, name, results))
    return path


def model_card(run: Run, name: str, results: Sequence[Result] = ()) -> str:
    """Return the model card of a run's policy: what it is, data, command, seed, budget, results and limits."""
    agent = training.load_agent(run.path / "policy.onnx")
    config, used = run.config, run.config.get("used", {})
    default = Scenario().to_dict()
    changed = {field: value for field, value in run.scenario.to_dict().items() if value != default[field]}
    size = (run.path / "policy.onnx").stat().st_size
    sections = [
        f"# {name}",
        f"A policy for `{agent.environment}`, trained with {config['algo']}: `training.load_agent({name!r})`. "
        f"{size / 1024:.0f} KB, ONNX. It sees the observation format `{agent.observation_format}`, acts in the action "
        f"format `{agent.action_format}`, and takes {_takes(run.scenario, agent.any_agents)}.",
        "## Training",
        _listed(
            {
                "Data": "random instances of the training seeds (`training/learn/seeds.py`) of the paper's scenario"
                + (f" with {json.dumps(changed)}" if changed else "")
                + ", new ones all the time",
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


def _takes(scenario: Scenario, any_agents: bool) -> str:
    if any_agents:
        return "any number of agents and antennas"
    return f"{scenario.num_agents} agents and {scenario.num_antennas} antennas only"


def _listed(entries: dict[str, str]) -> str:
    return "\n".join(f"- {name}: {text}" for name, text in entries.items())


def _results(results: Sequence[Result]) -> str:
    """Return a table of this policy's own figures, a row per number of agents."""
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Ship the policy of the best of some runs."""
    from eval.learners.runs import Run

    parser = argparse.ArgumentParser(
        prog="python -m eval.learners.shipping", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("name", metavar="NAME", help="by which training.load_agent finds it")
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folders of finished trainings of one learner")
    options = parser.parse_args(arguments)
    try:
        runs = [Run.read(path) for path in options.runs]
        print(ship(best_run(runs, runs[0].learner), options.name))
    except (ValueError, OSError, ImportError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()

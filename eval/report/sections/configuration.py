"""The sections of commands, scenarios, seeds and versions, and of the parts for which there are no results."""

from __future__ import annotations

import json
import platform
import shlex
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from eval.compare.comparison import changes
from eval.report.data.comparisons import Compared
from eval.report.data.provenance import Provenance
from eval.report.data.results import Results
from eval.report.sections.parts import Cell, Section, Table
from secagent_env import Scenario, __version__

_LIBRARIES = ("numpy", "scipy", "gymnasium", "cvxpy", "clarabel", "pymoo", "onnxruntime", "pandas", "pyarrow", "plotly")


def command(compared: Compared) -> str:
    """Return the command that computes a comparison."""
    solvers = []
    for cell in compared.solvers.values():
        options = ", ".join(f"{name}={_toml(value)}" for name, value in cell["solver_options"].items())
        solvers.append(f"{cell['solver']}({options})" if options else cell["solver"])
    changed = [f"{name}={_toml(value)}" for name, value in changes(compared.scenario).items()]
    file = compared.instances_file
    where = ["--instances-file", file["path"]] if file else ["--set", *changed] if changed else []
    words = ["secagent", "compare", *where, "--solvers", *solvers]
    words += ["--instances", str(compared.instances), "--seed", str(compared.seed)]
    words += [] if compared.max_seconds is None else ["--max-seconds", f"{compared.max_seconds:g}"]
    words += ["--csi-error", f"{compared.csi_error:g}"] if compared.csi_error else []
    return shlex.join([*words, "--out", str(compared.folder)])


def _toml(value: Any) -> str:
    return json.dumps(value)  # the same as JSON for numbers, texts, true, false and lists


def configuration_section(results: Results, figures: Sequence[str]) -> Section:
    """Return the section; ``figures`` are the names of the files beside the page."""
    computed = []
    for compared in results.comparisons:
        facts = {"command": command(compared), "networks": f"{compared.instances}, from seed {compared.seed}"}
        computed.append((compared.description, facts | _origin(compared.versions)))
    if results.reproduced is not None:
        names = [shown.experiment.name for shown in results.reproduced.shown]
        facts = {"command": f"secagent reproduce {' '.join(names)} --out {results.reproduced.folder}"}
        facts["run"] = results.reproduced.description
        origin = _origin(results.reproduced.versions) if results.reproduced.versions else {}
        computed.append(("The paper's figures", facts | origin))
    content = {
        "computed": computed,
        "trainings": Table("Trainings, with the commands that ran them", [_training(run) for run in results.runs]),
        "scenarios": [_scenario(compared) for compared in {str(c.scenario): c for c in results.comparisons}.values()],
        "figures": figures,
        "here": _here(results),
    }
    lead = "With which commands, seeds, parameters and versions everything on this page was computed."
    return Section("configuration", "Configuration and versions", lead, content)


def _origin(origin: Provenance) -> dict[str, str]:
    days = " to ".join(origin.days)
    code = "code" if len(origin.sources) == 1 else "code (digests)"
    return {"secagent": ", ".join(origin.versions), code: ", ".join(origin.sources), "computed": f"{days} (UTC)"}


def _training(run: Any) -> dict[str, Cell]:
    config = run.config
    versions = config.get("versions", {})
    origin = ", ".join(f"{name} {versions[name]}" for name in ("secagent", "torch") if name in versions)
    return {
        "run": Cell(run.path.name),
        "learner": Cell(run.learner),
        "seed": Cell(str(run.seed), float(run.seed)),
        "steps": Cell(f"{run.steps:,}".replace(",", "\u2009"), float(run.steps)),
        "CPU min": Cell(f"{run.minutes:.1f}", run.minutes),
        "versions": Cell(origin),
        "command": Cell(str(config.get("command", ""))),
    }


def _scenario(compared: Compared) -> Table:
    default, changed = Scenario().to_dict(), changes(compared.scenario)
    rows = [
        {
            "field": Cell(name),
            "value": Cell(_text(value)),
            **({"preset paper": Cell(_text(default[name]))} if changed else {}),
        }
        for name, value in compared.scenario.to_dict().items()
    ]
    return Table("Parameters of the scenario, in SI units; of ranges random numbers are drawn", rows)


def _text(value: Any) -> str:
    """Return a field's value as text: ``128 to 512``, ``0 to 100 × 0 to 100``."""
    if isinstance(value, (list, tuple)):
        inner = isinstance(value[0], (list, tuple))
        return (" × " if inner else " to ").join(dict.fromkeys(map(_text, value)) if not inner else map(_text, value))
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "a third of the agents"}[value]
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _here(results: Results) -> dict[str, str]:
    """Return the folder and the versions that this report is made with."""
    libraries = []
    for name in _LIBRARIES:
        try:
            libraries.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return {
        "results": str(results.folder),
        "secagent": __version__,
        "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "libraries": ", ".join(libraries),
    }


def missing_sections(results: Results) -> list[Section]:
    """Return the section of what is missing, with the commands that add it, and left out; none if nothing is."""
    folder = results.folder
    reproduce = f"secagent reproduce all --out {folder / 'reproduce'}"
    compare = f"secagent compare --solvers exact asc law randas --out {folder}"
    parts = (
        (results.reproduced, reproduce, "the paper's figures, ours over theirs"),
        (results.comparisons, compare, "a comparison, convergence of ASC and LAW, and pictures of networks"),
        (results.runs, f"secagent report {folder} --runs RUN …", "learning curves, from the folders of trainings"),
    )
    missing = {command: part for there, command, part in parts if not there}
    left_out = results.received.left_out
    lead = "This folder has no results for these parts:" if missing else "Not all that is there is shown:"
    content = {"missing": missing, "left_out": left_out}
    return [Section("more", "What is not here", lead, content)] if missing or left_out else []

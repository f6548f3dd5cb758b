"""What was computed with what: commands, scenarios, seeds and versions, as a section."""

from __future__ import annotations

import json
import platform
import shlex
from collections.abc import Sequence
from html import escape
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from eval.report.data.gather import Compared, Results
from eval.report.data.provenance import Provenance
from eval.report.sections.section import Section
from eval.report.sections.tables import Cell, definitions, table
from secagent_env import Scenario, __version__

_LIBRARIES = ("numpy", "scipy", "gymnasium", "cvxpy", "clarabel", "pymoo", "onnxruntime", "pandas", "pyarrow", "plotly")


def command(compared: Compared) -> str:
    """Return a command that computes a comparison."""
    solvers = []
    for told_of in compared.solvers.values():
        options = ", ".join(f"{name}={_toml(value)}" for name, value in told_of["solver_options"].items())
        solvers.append(f"{told_of['solver']}({options})" if options else told_of["solver"])
    changed = [f"{name}={_toml(value)}" for name, value in compared.changes.items()]
    words = ["secagent", "compare", *(["--set", *changed] if changed else []), "--solvers", *solvers]
    words += ["--instances", str(compared.instances), "--seed", str(compared.seed)]
    words += [] if compared.max_seconds is None else ["--max-seconds", f"{compared.max_seconds:g}"]
    words += ["--csi-error", f"{compared.csi_error:g}"] if compared.csi_error else []
    return shlex.join([*words, "--out", str(compared.folder)])


def _toml(value: Any) -> str:
    return json.dumps(value)  # of numbers, texts, true, false and lists the two are one


def configuration_section(results: Results, figures: Sequence[str]) -> Section:
    """Return the section; ``figures`` are the names of the files beside the page."""
    parts = []
    for compared in results.comparisons:
        facts = {"command": command(compared), "networks": f"{compared.instances}, from seed {compared.seed}"}
        parts.append(f"<h3>{escape(compared.description)}</h3>{definitions(facts | _origin(compared.versions))}")
    if results.reproduced is not None:
        names = [shown.experiment.name for shown in results.reproduced.shown]
        facts = {"command": f"secagent reproduce {' '.join(names)} --out {results.reproduced.folder}"}
        facts["run"] = results.reproduced.description
        origin = _origin(results.reproduced.versions) if results.reproduced.versions else {}
        parts.append(f"<h3>The paper's figures</h3>{definitions(facts | origin)}")
    if results.runs:
        rows = [_training(run) for run in results.runs]
        shown = table("Trainings, with the commands that ran them", rows)
        parts.append(f"<h3>Trainings</h3><details><summary>All {len(rows)} trainings</summary>{shown}</details>")
    for compared in {str(c.scenario): c for c in results.comparisons}.values():
        parts.append(f"<h3>Scenario</h3>{_scenario(compared)}")
    if figures:
        links = "".join(f'<li><a href="figures/{escape(name)}">{escape(name)}</a></li>' for name in figures)
        parts.append(f'<h3>Figures for papers</h3><p>PDF files beside this page:</p><ul class="files">{links}</ul>')
    parts.append(f"<h3>This report</h3>{definitions(_here(results))}")
    lead = "With which commands, seeds, parameters and versions everything on this page was computed."
    return Section("configuration", "Configuration and versions", lead, "".join(parts))


def _origin(origin: Provenance) -> dict[str, str]:
    days = " to ".join(origin.days)
    code = "code" if len(origin.sources) == 1 else "code (digests)"
    return {"secagent": ", ".join(origin.versions), code: ", ".join(origin.sources), "computed": f"{days} (UTC)"}


def _training(run: Any) -> dict[str, Cell]:
    config = run.config
    versions = config.get("versions", {})
    told_of = ", ".join(f"{name} {versions[name]}" for name in ("secagent", "torch") if name in versions)
    return {
        "run": Cell(run.path.name),
        "learner": Cell(run.learner),
        "seed": Cell(str(run.seed), float(run.seed)),
        "steps": Cell(f"{run.steps:,}".replace(",", "\u2009"), float(run.steps)),
        "CPU min": Cell(f"{run.minutes:.1f}", run.minutes),
        "versions": Cell(told_of),
        "command": Cell(str(config.get("command", ""))),
    }


def _scenario(compared: Compared) -> str:
    default = Scenario().to_dict()
    rows = [
        {
            "field": Cell(name),
            "value": Cell(_shown(value)),
            **({"preset paper": Cell(_shown(default[name]))} if compared.changes else {}),
        }
        for name, value in compared.scenario.to_dict().items()
    ]
    return table("Parameters of the scenario, in SI units; of ranges random numbers are drawn", rows)


def _shown(value: Any) -> str:
    """Return a field's value for people: ``128 to 512``, ``0 to 100 × 0 to 100``."""
    if isinstance(value, (list, tuple)):
        inner = isinstance(value[0], (list, tuple))
        return (" × " if inner else " to ").join(dict.fromkeys(map(_shown, value)) if not inner else map(_shown, value))
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "a third of the agents"}[value]
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _here(results: Results) -> dict[str, str]:
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

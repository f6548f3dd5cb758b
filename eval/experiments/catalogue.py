"""The experiments of `secagent reproduce` by name, and the command itself."""

from __future__ import annotations

import argparse
import logging
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any

from eval.experiments import recorded
from eval.experiments.protocol import Experiment, dry_run
from secagent_env.support.errors import unknown_name

logger = logging.getLogger("secagent.reproduce")

# Named by module and class, so that an experiment imports nothing of the others.
_GAMES = "eval.experiments.genainet_power.experiment:PaperPowerGames"
_ENERGY = "eval.experiments.secure.experiment:EnergyTables"
CATALOGUE = {
    "genainet-table2": _GAMES,
    "genainet-fig7": _GAMES,
    "genainet-fig8": _GAMES,
    "table5": "eval.experiments.votes.experiment:Votes",
    "table5-models": "eval.experiments.model_votes.experiment:ModelVotes",
    "law-models": "eval.studies.llm_bench.bench:LawModels",
    "genainet-table1": "eval.experiments.knowledge_transfer.experiment:KnowledgeTransfer",
    "genainet-table1-models": "eval.experiments.knowledge_transfer.models:ModelStudents",
    "genainet-table2-models": "eval.experiments.genainet_power.models:ModelPowerGames",
    "genainet-thoughts-models": "eval.studies.thoughts.models:ModelThoughts",
    "genainet-experience-models": "eval.studies.experience.models:ModelExperience",
    "genainet-convoy-models": "eval.studies.convoy.models:ModelConvoy",
    "genainet-graph-models": "eval.studies.knowledge_use.models:ModelGraph",
    "knowledge-energy": "eval.experiments.knowledge_energy.experiment:KnowledgeEnergy",
    "fig4": _ENERGY,
    "table2": _ENERGY,
    "table3": _ENERGY,
    "fig5": _ENERGY,
    "table4": _ENERGY,
    "robust": "eval.experiments.robust.experiment:RobustDesigns",
}
"""Names of tables and figures, and the experiments that make them, in the order in which they run."""


OF_MODELS = "-models"
"""What the names of experiments end with that need a real language model, or its recorded answers."""


def chosen(names: Sequence[str]) -> dict[type[Experiment], list[str]]:
    """Return the experiments that make the tables and figures named, each with the names; ``all`` need no model.

    Raises ValueError if there is none of a name.
    """
    for name in names:
        if name != "all" and name not in CATALOGUE:
            raise unknown_name("experiment", name, ["all", *CATALOGUE])
    experiments: dict[type[Experiment], list[str]] = {}
    for name, place in CATALOGUE.items():
        if name in names or ("all" in names and not name.endswith(OF_MODELS)):
            experiments.setdefault(pkgutil.resolve_name(place), []).append(name)
    return experiments


def arguments_of(experiment: type[Experiment], names: Sequence[str], args: argparse.Namespace) -> argparse.Namespace:
    """Return the options of one experiment: of the command line, of a recording to replay, and the usual instances."""
    own = {**vars(args), **recorded.options(experiment, args), "experiments": list(names)}
    if own["instances"] is None:
        own["instances"] = experiment.usual_instances
    return argparse.Namespace(**own)


def reproduce(args: argparse.Namespace, how: Mapping[str, Any], progress: bool | None = None) -> None:
    """Run the experiments named on the command line, and print their texts; or print what a run would compute.

    ``how`` and ``progress`` are arguments of :func:`eval.sweep.engine.run_sweep`.
    """
    kinds = chosen(args.experiments)
    own = [arguments_of(kind, names, args) for kind, names in kinds.items()]
    experiments = [kind.from_arguments(each) for kind, each in zip(kinds, own, strict=True)]
    if args.dry_run:
        print(dry_run(experiments, args.out, **how))
        if any(experiment.grows for experiment in experiments):
            print("questions to selected agents, and networks with measured knowledge, depend on these and come on top")
        return
    for number, (experiment, each) in enumerate(zip(experiments, own, strict=True)):
        text = recorded.run_recorded(experiment, args, recorded.told(each), progress, **how)
        print("\n" * (number > 0) + text, end="", flush=True)
    texts = ", ".join(f"{experiment.name}.md" for experiment in experiments)
    beside = "it" if len(experiments) == 1 else "them"
    logger.info("wrote %s, and tables, figures and rows beside %s, in %s", texts, beside, args.out)

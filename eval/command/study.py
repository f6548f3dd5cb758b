"""``secagent study``: studies beyond the papers' tables, as cells of a sweep."""

from __future__ import annotations

import argparse
import functools
import logging
import pkgutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from eval.command.arguments import AddCommand, Parser, add_out, add_sweep, common_flags, progress_of, sweep_options
from secagent_env.support.errors import unknown_name

if TYPE_CHECKING:
    from eval.experiments.protocol import Experiment

logger = logging.getLogger("secagent")


class Study(NamedTuple):
    """A study before its module is imported: its experiment as ``"module:class"``, and its title.

    Where its results are times, it runs on one worker unless told otherwise.
    """

    experiment: str
    title: str
    timed: bool = False

    def load(self) -> type[Experiment]:
        """Return the class of the experiment."""
        experiment: type[Experiment] = pkgutil.resolve_name(self.experiment)
        return experiment


STUDIES = {
    "asc": Study(
        "eval.studies.asc.study:ASCParts", "What ASC's parts are worth, what its printed errors cost, how it converges."
    ),
    "law": Study("eval.studies.law.study:LawAblations", "What LAW's parts are worth, beside ASC and the exact solver."),
    "hardness": Study(
        "eval.studies.hardness.study:Hardness",
        "How far simpler schemes fall short of the best decisions known on a preset.",
    ),
    "noise": Study(
        "eval.studies.noise.study:Noise", "Where artificial noise of the base station helps, and where it cannot."
    ),
    "scaling": Study(
        "eval.studies.scaling.study:Scaling",
        "How time and gap of the solvers grow with agents and antennas.",
        timed=True,
    ),
    "lifetime": Study(
        "eval.studies.lifetime.study:Lifetime", "How many tasks policies serve before the batteries end."
    ),
    "paradigms": Study(
        "eval.studies.paradigms.study:Paradigms",
        "What paradigms and levels of collaboration are worth, and what they send.",
    ),
    "representations": Study(
        "eval.studies.representations.study:Representations",
        "What vectors, graph and topology cost to send, build and ask, and how well they find passages.",
        timed=True,
    ),
    "knowledge-use": Study(
        "eval.studies.knowledge_use.study:KnowledgeUse",
        "What graph and topology are worth beside vectors: two-fact questions, facts that change, passages that lie.",
    ),
    "vocabulary": Study(
        "eval.studies.vocabulary.study:Vocabulary",
        "What the vocabulary of a standard is worth to a student, whole and compressed.",
    ),
    "learners": Study(
        "eval.learners.study:Learners", "What trained agents reach on test instances, over their seeds.", timed=True
    ),
    "transfer": Study(
        "eval.studies.transfer.study:Transfer",
        "What agents reach on channels that they were not trained on, beside those that were.",
        timed=True,
    ),
    "perception": Study(
        "eval.studies.perception.study:Perception",
        "How well radio observations find the sentences that say what they hold, and what that saves in bits.",
    ),
    "decentralised": Study(
        "eval.studies.decentralised.study:Decentralised",
        "What agents reach that bid and set their powers by what they see themselves.",
    ),
    "benchmark-set": Study(
        "eval.benchmark_set.study:BenchmarkSet",
        "Solvers and agents decide the benchmark set: an entry of the leaderboard of each.",
    ),
    "plain-ppo": Study(
        "eval.studies.plain_ppo.study:PlainPPO",
        "What a library's PPO, with its own defaults, learns in some minutes.",
        timed=True,
    ),
    "convoy": Study(
        "eval.studies.convoy.study:Convoy",
        "What levels of collaboration and organisations are worth to vehicles at a crossing.",
    ),
    "starts": Study(
        "eval.studies.starts.study:Starts",
        "How much sooner solvers are good where they start from another's decision.",
        timed=True,
    ),
    "robust": Study(
        "eval.experiments.robust.experiment:RobustDesigns",
        "How often designs fail where eavesdroppers' channels are estimates, and what safety costs.",
    ),
    "genainet": Study(
        "eval.experiments.genainet_power.experiment:PowerGames", "What messages between agents are worth."
    ),
    "power-control": Study(
        "eval.experiments.genainet_power.dpc_tables:PowerControlTables",
        "What DPC leaves of the rate gap on random games, and at what power.",
    ),
    "power-control-speed": Study(
        "eval.experiments.genainet_power.dpc_tables:PowerControlSpeed", "How fast many games run at once.", timed=True
    ),
    "thoughts": Study(
        "eval.studies.thoughts.study:Thoughts",
        "What chain, tree and graph of thoughts are worth to planning, and which rewards.",
    ),
    "passages": Study(
        "eval.studies.passages.study:Passages",
        "What chain, tree and graph of thoughts are worth to a reader that chooses its passages.",
    ),
    "experience": Study(
        "eval.studies.experience.study:Experience",
        "Whether lessons of earlier games help in later ones, alone and shared, beside placebos.",
    ),
    "intent-change": Study(
        "eval.studies.intent_change.study:IntentChanges",
        "What it is worth to tell a target that changes in the middle of a game.",
    ),
    "votes": Study("eval.experiments.votes.experiment:Votes", "How often the votes of selected agents are right."),
    "knowledge-transfer": Study(
        "eval.experiments.knowledge_transfer.experiment:KnowledgeTransfer",
        "What knowledge, and compressed knowledge, are worth to a student.",
    ),
    "shared-power": Study(
        "eval.studies.shared_power:SharedPowerTraining", "PPO for power control: one small network for every pair."
    ),
}
"""By name."""


def overview() -> str:
    """Return a line per study, for the help of `secagent`."""
    width = max(map(len, STUDIES))
    lines = [f"  {name:<{width}}  {study.title}" for name, study in STUDIES.items()]
    return "\n".join(["studies, run by `secagent study NAME`:", *lines])


def add_parser(command: AddCommand) -> None:
    """Add the parser, which adds a study's own arguments when the study is named."""
    parser = command("study", "Run a study beyond the papers' tables; a run that was interrupted resumes.")
    names: Any = parser.add_subparsers(dest="study", metavar="NAME", title="studies", required=True)
    parents = [common_flags()]
    for name, study in STUDIES.items():
        names.add_parser(name, help=study.title, description=study.title, parents=parents, allow_abbrev=False)
    parser.prepare = functools.partial(_prepare, names.choices)


def _prepare(parsers: dict[str, Parser], parser: Parser, arguments: Sequence[str]) -> None:
    """Add the arguments of the study that is named."""
    name = next((argument for argument in arguments if not argument.startswith("-")), None)
    if name is None:
        return
    if name not in STUDIES:
        parser.error(str(unknown_name("study", name, STUDIES)))
    own = parsers[name]
    STUDIES[name].load().add_arguments(own)
    add_out(own, Path("results", name))
    add_sweep(own, "1, since times are compared" if STUDIES[name].timed else "one per core")


def run(args: argparse.Namespace) -> None:
    """Compute what is missing of the study, write its files, and print its tables."""
    from eval.experiments import protocol

    study = STUDIES[args.study]
    experiment = study.load().from_arguments(args)
    options = sweep_options(args)
    if study.timed and args.workers is None and args.scheduler is None:
        options["workers"] = 1
    if args.dry_run:
        print(protocol.dry_run(experiment, args.out, **options))
        return
    text = protocol.run(experiment, args.out, **options, progress=progress_of(args))
    print(text, end="")
    if text:
        logger.info("wrote %s.md, and its rows and pictures beside it, in %s", experiment.name, args.out)

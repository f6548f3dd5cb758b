"""What learners learnt: trained agents of every algorithm and seed on the same test instances, with intervals.

``python -m eval.learners.test_set runs/* --out results/learners`` judges the policies of run folders on test instances
that no training has seen (:mod:`training.learn.seeds`), at the scenario's number of agents and, where the policy takes
any, at others, with N_min a third of them. Energies are relative to the certified bound of each instance. Every figure
is given for the forward pass as it is, and with the repair. It writes a table, a CSV file with a row per run and size,
and the learning curves; with ``--ship NAME=LEARNER`` the policy of a learner's best seed goes into
``training/policies``.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

import training
from eval import one_blas_thread
from eval.learners.runs import Result, Run
from secagent_env import Decision, Instance, Scenario, evaluate
from secagent_env.allocation.actions import action_format
from secagent_env.support.extras import require
from secagent_env.support.files import write_text
from solvers.certificate.bounds import lower_bound
from training.learn import seeds
from training.play.repair import repair_all

logger = logging.getLogger("secagent.learners")

TABLE, CSV, CURVES = "learners.md", "learners.csv", "learning-curves.png"
SINGLES = 100
"""How many instances are solved one by one, for the time of a single decision."""
REPEATS = 3
ALLOCATION = "secagent/Allocation-v0"


class TestSet:
    """The test instances of one size, with their certified bounds; those proved infeasible are left out.

    Attributes
    ----------
    scenario, instances, bound_j
        Theirs, (K,).
    """

    __test__ = False  # not one of pytest's

    def __init__(self, scenario: Scenario, agents: int, count: int) -> None:
        if agents != scenario.num_agents:
            scenario = scenario.replace(num_agents=agents, min_selected=None)
        self.scenario = scenario
        instances = seeds.test_instances(scenario, count)
        bound = np.array([lower_bound(instances[i]).energy_j for i in range(count)])
        self.instances: Instance = instances[np.isfinite(bound)]
        self.bound_j = bound[np.isfinite(bound)]

    def gap(self, decisions: Decision) -> np.ndarray:
        """Return energy over the bound, minus 1, (K,); NaN where infeasible."""
        outcome = evaluate(self.instances, decisions)
        return np.where(outcome.feasible, outcome.energy_j / self.bound_j - 1, np.nan)


def judge(path: Path, test: TestSet, learner: str, seed: int, **used: float) -> Result:
    """Return what a policy's file does on test instances."""
    agent = training.load_agent(path)
    plain = training.load_agent(path, repair=False)
    singles = range(min(SINGLES, len(test.instances)))
    agent.solve(test.instances[0])  # whatever happens only once
    took = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        repaired = agent.solve_batch(test.instances)
        took.append(time.perf_counter() - began)
    single = [agent.solve(test.instances[i]).wall_time_s for i in singles]
    return Result(
        learner,
        seed,
        test.scenario.num_agents,
        test.gap(plain.solve_batch(test.instances)),
        test.gap(repaired),
        batch_ms=1e3 * min(took) / len(test.instances),
        single_ms=1e3 * float(np.median(single)),
        **used,
    )


def judge_random(test: TestSet, seed: int) -> Result:
    """Return what random actions of the guided format do: what the format, and the repair, do by themselves."""
    size = 2 * test.scenario.num_agents + len(LINKS)
    actions = np.random.default_rng(seed).uniform(-1, 1, (len(test.instances), size))
    return _judge_actions(test, actions, "random actions", seed)


def judge_cheapest(test: TestSet) -> Result:
    """Return what a rule of one line does: the N_min agents with the least execution energy, accurate or not."""
    energy = test.instances.execution_energy_j
    silent = np.full_like(energy, -1.0)
    links = np.broadcast_to(LINKS, (len(energy), len(LINKS)))
    scores = -energy / energy.max(axis=-1, keepdims=True)
    return _judge_actions(test, np.concatenate([scores, silent, links], axis=-1), "cheapest agents", 0)


LINKS = (-0.75, 0.0, 0.0, 1.0, 0.0)
"""The end of a guided action: senders at −30 dB, the zero-forcing beam."""


def _judge_actions(test: TestSet, actions: np.ndarray, name: str, seed: int) -> Result:
    decisions = action_format("guided", test.scenario).decode(actions, test.instances)
    repaired = repair_all(test.instances, decisions)
    return Result(name, seed, test.scenario.num_agents, test.gap(decisions), test.gap(repaired))


def untrained_policies(scenario: Scenario, count: int, folder: Path) -> list[Path]:
    """Write the policies of equivariant networks that have not been trained, of seeds 0, 1, …; needs torch."""
    torch = require("torch", extra="rl")
    from training.learn.export import export_policy, policy_metadata
    from training.learn.network import EquivariantNetwork

    n, eavesdroppers = scenario.num_agents, scenario.num_eavesdroppers
    inputs = {"task": (2, 6), "agents": (2, n, 5 + eavesdroppers), "eavesdroppers": (2, eavesdroppers, 1)}
    paths = []
    for seed in range(count):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = EquivariantNetwork()
        paths.append(folder / f"untrained-{seed}.onnx")
        examples = {name: torch.rand(shape) for name, shape in inputs.items()}
        export_policy(paths[-1], network, examples, policy_metadata("untrained", scenario))
    return paths


def measure(
    runs: Sequence[Run],
    *,
    instances: int = 500,
    sizes: Iterable[int] = (),
    references: int = 3,
    progress: Callable[[str], object] = lambda text: None,
) -> list[Result]:
    """Judge the policies of runs on the test instances of their scenario.

    Parameters
    ----------
    runs
        Of one scenario.
    instances
        How many test instances, of each size.
    sizes
        The numbers of agents N at which policies that take any are judged besides the scenario's own.
    references
        How many seeds of random actions and of untrained networks (which need torch) stand beside them; with any,
        also the cheapest agents.
    progress
        Called with a sentence before each part.

    Raises
    ------
    ValueError
        If there is no run, runs have different scenarios, or play something else than Allocation.
    """
    import tempfile

    scenario = _common_scenario(runs)
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            untrained = untrained_policies(scenario, references, Path(folder))
        except ImportError:
            untrained = []
        for size in dict.fromkeys((scenario.num_agents, *sizes)):
            progress(f"proving the bounds of {instances} test instances with {size} agents")
            test = TestSet(scenario, size, instances)
            if not len(test.instances):
                raise ValueError(f"none of the {instances} test instances with {size} agents is feasible")
            for run in runs:
                if size == scenario.num_agents or training.load_agent(run.path).any_agents:
                    progress(f"judging {run.path} with {size} agents")
                    used = {"steps": run.steps, "minutes": run.minutes}
                    results.append(judge(run.path, test, run.learner, run.seed, **used))
            progress(f"judging the references with {size} agents")
            results += [judge(path, test, "untrained", seed, steps=0) for seed, path in enumerate(untrained)]
            results += [judge_random(test, seed) for seed in range(references)]
            results += [judge_cheapest(test)] if references else []
    return results


def _common_scenario(runs: Sequence[Run]) -> Scenario:
    if not runs:
        raise ValueError("there is no run to judge")
    for run in runs:
        if run.config["environment"] != ALLOCATION:
            raise ValueError(f"the run {run.path} plays {run.config['environment']}, only {ALLOCATION} is judged here")
        if run.scenario != runs[0].scenario:
            raise ValueError(f"the runs {runs[0].path} and {run.path} have different scenarios; judge them apart")
    return runs[0].scenario


def main(argv: Sequence[str] | None = None) -> int:
    """Judge runs, write the table, the CSV file and the curves, and ship policies."""
    parser = argparse.ArgumentParser(
        prog="python -m eval.learners.test_set", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folders of finished trainings")
    parser.add_argument("--instances", type=int, default=500, metavar="K", help="test instances (default: 500)")
    parser.add_argument("--sizes", type=int, nargs="*", default=[50, 100], metavar="N", help="default: 50 100")
    parser.add_argument("--references", type=int, default=3, metavar="K", help="seeds of the references (default: 3)")
    parser.add_argument("--out", type=Path, default=Path("results/learners"), metavar="DIR")
    parser.add_argument("--curves", type=Path, metavar="FILE", help=f"the learning curves (default: DIR/{CURVES})")
    parser.add_argument("--ship", nargs="+", default=[], metavar="NAME=LEARNER", help="as in ppo=ppo l2o=l2o")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        with one_blas_thread():
            _main(args)
    except (ValueError, OSError, ImportError) as error:
        print(f"eval.learners.test_set: error: {error}", file=sys.stderr)
        return 2
    return 0


def _main(args: argparse.Namespace) -> None:
    from eval.learners.report import markdown, save_curves
    from eval.learners.shipping import best_run, ship

    shipped = dict(item.partition("=")[::2] for item in args.ship)
    runs = [Run.read(path) for path in args.runs]
    chosen = {name: best_run(runs, learner) for name, learner in shipped.items()}
    results = measure(
        runs, instances=args.instances, sizes=args.sizes, references=args.references, progress=logger.info
    )
    args.out.mkdir(parents=True, exist_ok=True)
    table = markdown(results)
    write_text(args.out / TABLE, table)
    pandas = require("pandas", extra="eval")
    write_text(args.out / CSV, pandas.DataFrame([result.row() for result in results]).to_csv(index=False))
    save_curves(runs, args.curves or args.out / CURVES)
    print(table, end="")
    for name, run in chosen.items():
        logger.info("shipped %s: %s", run.path, ship(run, name, results))


if __name__ == "__main__":
    sys.exit(main())

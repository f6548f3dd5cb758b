"""Speed: what `evaluate`, the sampler, the environment and the solvers cost, side by side in one run.

ASC is measured against its plain CVXPY version (:mod:`eval.bench.plain_asc`) on the same instances, and its time is
split among its sub-problems.

Figures in seconds are true of one machine at one moment, so the ones to quote are ratios: what is compared is
measured in turns, repeat by repeat, and a ratio is the median over the repeats. One BLAS thread. Times are processor
time, which other processes disturb least; that of a solve includes the certified bound.
"""

from __future__ import annotations

import itertools
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import gymnasium
import numpy as np
import scipy

import solvers
from eval import usable_cores
from eval.bench import bulk as bench_bulk
from eval.bench import channels as bench_channels
from eval.bench import crossings as bench_crossings
from eval.bench import environments as bench_environments
from eval.bench import own_instances as bench_own
from eval.bench import threads as bench_threads
from eval.bench.timing import Figure, in_turns, limit_in_words, processor_seconds, ratio_of, seconds_of, spread, verdict
from eval.compare.comparison import DEFAULT_SOLVERS
from eval.compare.lineup import make
from eval.compare.solving import instance_at, solver_seed
from eval.stats.formatting import tabulated, with_unit
from eval.stats.statistics import Interval
from secagent_env import Decision, Instance, Scenario, __version__, evaluate, sample_instance
from secagent_env.support.extras import require
from solvers import Solution, Solver

BATCH = 1024
REQUIRED_RATIO = 15
STEPPING = 8
"""By how much longer the environments step in a turn: as in a training, they find the caches as they left them."""
CROSSINGS = 256
"""How many crossings of vehicles are played at once."""
GROWTH_BATCH = 128
GROWTH = ((10, 20), (30, 20), (100, 20), (200, 20), (30, 4), (30, 64))
"""The (N, L) at which the growth of `evaluate` is measured."""
PLAIN_RATIO = 20
"""How many times faster than its plain version ASC has to be."""
ALIKE = 1e-3
"""How far from each other the objectives of the two may end, relatively."""
GOALS = ((30, "asc", 0.13), (30, "exact", 0.03), (200, "exact", 0.15))
"""The (N, solver) with a goal, at L = 20: what the median solve may take, s."""


def measure(*, quick: bool = False, progress: Callable[[str], object] = lambda text: None) -> Figure:
    """Measure everything and return the figures, as plain numbers.

    Parameters
    ----------
    quick
        Fewer repeats, sizes and solves: a trial of the command, its figures are rough.
    progress
        Called with a sentence before each part.
    """
    repeats, share = (5, 0.005) if quick else (15, 0.05)
    scenario = Scenario()
    at_once = BATCH // 8 if quick else BATCH
    progress("measuring evaluate")
    evaluation = _evaluate(scenario, BATCH, repeats, share)
    progress("measuring how evaluate grows with N and L")
    growth = []
    for agents, antennas in GROWTH[:2] if quick else GROWTH:
        size = scenario.replace(num_agents=agents, num_antennas=antennas)
        times = _evaluate(size, GROWTH_BATCH, max(5, repeats // 3), share)
        growth.append({"num_agents": agents, "num_antennas": antennas, **times})
    progress("measuring solves with NumPy's default threads, beside busy processes")
    threads = bench_threads.measure(repeats=1 if quick else 5, solves=5 if quick else 50)
    progress("measuring the sampler and the environment")
    sampling = _sampling(scenario, repeats, share)
    progress("measuring the channel models")
    channels = bench_channels.measure(at_once // 4, repeats, share)
    return {
        "machine": machine(),
        "quick": quick,
        "batch": BATCH,
        "growth_batch": GROWTH_BATCH,
        "evaluate": evaluation,
        "growth": growth,
        "threads": threads,
        "sampling": sampling,
        "channels": channels,
        "episode": _episode(scenario, repeats, share),
        "environments": bench_environments.measure(scenario, at_once, repeats // 2, STEPPING * share, progress),
        "bulk": bench_bulk.measure(scenario, at_once, repeats, STEPPING * share, progress),
        "own": bench_own.measure(
            scenario,
            bench_own.QUICK_COUNT if quick else bench_own.COUNT,
            at_once,
            repeats // 2,
            STEPPING * share,
            progress,
        ),
        "crossings": _crossings(quick, repeats, share, progress),
        "solvers": _solvers(scenario, DEFAULT_SOLVERS, 2 if quick else 10, progress),
        "large": _solvers(scenario.replace(num_agents=200), ("exact",), 2 if quick else 5, progress),
        "profile": _profile(scenario, 2 if quick else 10, progress),
        "plain": _plain(Scenario.preset("small"), 1, progress) if quick else _plain(scenario, 5, progress),
    }


def machine() -> Figure:
    """Return what the figures were measured on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "secagent": __version__,
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def random_decisions(instance: Instance, rng: np.random.Generator) -> Decision:
    """Return a decision per instance: N_min random agents, a random beam of full power, powers of 1 nW."""
    scenario, batch = instance.scenario, instance.batch_shape
    order = rng.random((*batch, scenario.num_agents)).argsort(axis=-1)
    beam = rng.standard_normal((*batch, scenario.num_antennas, 2)).view(complex)[..., 0]
    beam *= np.sqrt(scenario.bs_power_w) / np.linalg.norm(beam, axis=-1, keepdims=True)
    return Decision(selection=order < scenario.required_agents, beamformer=beam, power_w=np.full(order.shape, 1e-9))


def _evaluate(scenario: Scenario, size: int, repeats: int, share: float) -> Figure:
    instances = sample_instance(scenario, 0, size)
    decisions = random_decisions(instances, np.random.default_rng(0))
    instance, decision = instances[0], decisions[0]
    tasks = {"single": lambda: evaluate(instance, decision), "batch": lambda: evaluate(instances, decisions)}
    return _single_and_batch(tasks, size, repeats, share)


def _sampling(scenario: Scenario, repeats: int, share: float) -> Figure:
    tasks = {
        "single": lambda: sample_instance(scenario, 0),
        "batch": lambda: sample_instance(scenario, 0, BATCH),
    }
    return _single_and_batch(tasks, BATCH, repeats, share)


def _single_and_batch(tasks: Mapping[str, Callable[[], object]], size: int, repeats: int, share: float) -> Figure:
    seconds = in_turns(tasks, repeats, share)
    each = seconds["batch"] / size
    return {
        "single_s": spread(seconds["single"]),
        "per_instance_s": spread(each),
        "ratio": spread(seconds["single"] / each),
    }


def _episode(scenario: Scenario, repeats: int, share: float) -> Figure:
    env = gymnasium.make("secagent/Allocation-v0", scenario=scenario, disable_env_checker=True)
    env.action_space.seed(0)
    env.reset(seed=0)
    actions = itertools.cycle([env.action_space.sample() for _ in range(64)])

    def episode() -> None:
        env.reset()
        env.step(next(actions))

    seconds = in_turns({"episode": episode}, repeats, share)["episode"]
    env.close()
    return spread(seconds)


def _crossings(quick: bool, repeats: int, share: float, progress: Callable[[str], object]) -> Figure:
    size = CROSSINGS // 8 if quick else CROSSINGS
    progress(f"measuring {size} crossings at once")
    return bench_crossings.measure(size, repeats // 2, share)


def _solve(solver: Solver, scenario: Scenario, index: int) -> tuple[Solution, float]:
    return processor_seconds(partial(solver.solve, instance_at(scenario, 0, index), seed=solver_seed(0, index)))


def _solvers(
    scenario: Scenario, names: Sequence[str], count: int, progress: Callable[[str], object]
) -> dict[str, Figure]:
    """Return the seconds of each solver on the first ``count`` instances, solvers in turn."""
    progress(f"measuring {', '.join(names)} with {scenario.num_agents} agents")
    made = {name: make(name) for name in names}
    for solver in made.values():
        _solve(solver, scenario, count)  # whatever happens only once
    solved = [[_solve(solver, scenario, i) for solver in made.values()] for i in range(count)]
    return {
        name: {
            **spread(np.array([seconds for _, seconds in column])),
            "feasible": sum(bool(solution.outcome.feasible) for solution, _ in column),
        }
        for name, column in zip(made, zip(*solved, strict=True), strict=True)
    }


def _profile(scenario: Scenario, count: int, progress: Callable[[str], object]) -> dict[str, float]:
    """Return which share of ASC's time goes into each sub-problem."""
    progress("measuring where the time of asc goes")
    solver = solvers.make("asc")
    seconds: dict[str, float] = {}
    for index in range(count):
        solution, _ = _solve(solver, scenario, index)
        before = 0.0
        for record in (*solution.history, {"sub_problem": "the rest", "seconds": solution.wall_time_s}):
            name = record["sub_problem"]
            seconds[name] = seconds.get(name, 0.0) + record["seconds"] - before
            before = record["seconds"]
    return {name: part / sum(seconds.values()) for name, part in seconds.items()}


def _plain(scenario: Scenario, count: int, progress: Callable[[str], object]) -> Figure | str:
    """Return seconds, ratios and energies of ASC and its plain version in turn, or a sentence why there are none."""
    try:
        require("cvxpy", "solvers")
    except ImportError as error:
        return f"asc was not compared with its plain CVXPY version: {error}"
    from eval.bench.plain_asc import PlainASC

    progress("measuring asc against its plain CVXPY version")
    fast, plain = solvers.make("asc"), PlainASC()
    _solve(fast, scenario, 0)
    plain.solve(sample_instance("small", 0))  # CVXPY loads its solvers with the first problem
    solutions, seconds = [], []
    for index in range(count):
        # ASC before and after its plain version, so that both see the same load of the machine.
        (first, before), (slow, plain_s), (_, after) = (
            _solve(solver, scenario, index) for solver in (fast, plain, fast)
        )
        solutions.append((first, slow))
        seconds.append(((before + after) / 2, plain_s))
    fast_s, slow_s = np.array(seconds).T
    return {
        "seconds": spread(fast_s),
        "plain_seconds": spread(slow_s),
        "ratio": spread(slow_s / fast_s),
        "energies_j": [[_energy(first, part) for part in ENERGIES] for first, _ in solutions],
        "plain_energies_j": [[_energy(slow, part) for part in ENERGIES] for _, slow in solutions],
    }


ENERGIES = ("energy_j", "transmission_energy_j")


def _energy(solution: Solution, part: str) -> float | None:
    return float(getattr(solution.outcome, part)) if solution.outcome.feasible else None


def report(results: Figure) -> str:
    """Return the figures as text."""
    where, evaluation, sampling = results["machine"], results["evaluate"], results["sampling"]
    ratio = evaluation["ratio"]["median"]
    headers = ["", "single", f"in a batch of {results['batch']}, each", "times cheaper"]
    rows = [["evaluate", *_row(evaluation)], ["sample_instance", *_row(sampling)]]
    growth = [[str(row["num_agents"]), str(row["num_antennas"]), *_row(row)] for row in results["growth"]]
    solve = [[name, seconds_of(row), f"{row['feasible']}/{row['repeats']}"] for name, row in results["solvers"].items()]
    parts = [
        f"{where['processor']}, {where['usable_cores']} of {where['cores']} cores usable, "
        f"load {where['load']}, {where['system']}; Python {where['python']}, "
        f"NumPy {where['numpy']}, SciPy {where['scipy']}, secagent {where['secagent']}; one BLAS thread.\n"
        "Processor times, medians with quartiles; N = 30 agents, L = 20 antennas (preset paper) unless said otherwise."
        + ("\nA quick run: the figures are rough, and plain is of the preset small." if results["quick"] else ""),
        tabulated(rows, headers),
        f"evaluate in a batch costs 1/{ratio:.1f} of a single call per instance "
        f"(at most 1/{REQUIRED_RATIO} is required: {verdict(ratio >= REQUIRED_RATIO)}).",
        "How evaluate grows with N and L:\n\n"
        + tabulated(growth, ["N", "L", "single", f"in a batch of {results['growth_batch']}, each", "times cheaper"]),
        bench_channels.report(results["channels"], tabulated),
        f"An episode of secagent/Allocation-v0 (reset and step): {seconds_of(results['episode'])}",
        *bench_environments.report(results["environments"], tabulated),
        bench_bulk.report(results["bulk"], tabulated),
        *bench_own.report(results["own"], tabulated),
        bench_crossings.report(results["crossings"], tabulated),
        "A solve:\n\n" + tabulated(solve, ["solver", "time", "feasible"]),
        _goals(results),
        bench_threads.report(results["threads"]),
        "Where the time of asc goes: "
        + ", ".join(f"{name} {share:.0%}" for name, share in results["profile"].items())
        + ".",
        _against_plain(results["plain"], tabulated),
    ]
    return "\n\n".join(parts)


def _goals(results: Figure) -> str:
    """Return a line per goal: the median solve, what it may take, and whether it is met."""
    small = Scenario().num_agents
    figures = [results["solvers" if agents == small else "large"][name] for agents, name, _ in GOALS]
    return "\n".join(
        f"{name} with N = {agents} takes {seconds_of(figure)} (at most {limit_in_words(limit)} is the goal: "
        f"{verdict(figure['median'] <= limit)})."
        for (agents, name, limit), figure in zip(GOALS, figures, strict=True)
    )


def _against_plain(figure: Figure | str, table: Callable[[list[list[str]], list[str]], str]) -> str:
    """Return the comparison of ASC with its plain version: times, the ratio, and both energies per instance."""
    if isinstance(figure, str):
        return figure
    ratio = figure["ratio"]
    both = list(zip(figure["energies_j"], figure["plain_energies_j"], strict=True))
    rows = [
        [str(index), *(_joule(energies[part]) for part in range(len(ENERGIES)) for energies in pair)]
        for index, pair in enumerate(both)
    ]
    alike = sum(_alike(fast[0], plain[0]) for fast, plain in both)
    return (
        f"asc takes {seconds_of(figure['seconds'])}, its plain CVXPY version {seconds_of(figure['plain_seconds'])}: "
        f"{ratio_of(ratio, ' times as long')} "
        f"(at least {PLAIN_RATIO} is required: {verdict(ratio['median'] >= PLAIN_RATIO)}), "
        f"and the objective is the same within {ALIKE:.1%} on {alike} of {len(both)} instances:\n\n"
        + table(rows, ["instance", "energy, asc", "plain", "transmission, asc", "plain"])
    )


def _alike(energy: float | None, other: float | None) -> bool:
    """Whether two energies are the same within ``ALIKE``; None is infeasible."""
    return energy == other or (energy is not None and other is not None and abs(energy / other - 1) <= ALIKE)


def _joule(energy: float | None) -> str:
    return "infeasible" if energy is None else with_unit(Interval(energy, np.nan, np.nan, 1), "J")


def _row(figure: Figure) -> list[str]:
    return [seconds_of(figure["single_s"]), seconds_of(figure["per_instance_s"]), ratio_of(figure["ratio"])]

"""How many tasks policies serve in ``secagent/Lifetime-v0``: all on the same episodes, beside the upper bound.

``python -m eval.studies.lifetime --episodes 100`` prints the table of ``docs/lifetime.md``, and writes it and a
picture.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

import solvers
import solvers.lifetime.policies
import training
from eval.compare.plots import draw_values
from eval.stats.formatting import count, percent, tabulated
from eval.stats.paired import paired_difference
from eval.stats.statistics import CONFIDENCE, Interval, bootstrap_mean
from secagent_env import Scenario
from secagent_env.rendering.style import BLUE, DIM, FAINT, own_style
from secagent_env.support.errors import unknown_name
from secagent_env.support.extras import require
from secagent_env.support.files import whole_file, write_text
from training.learn.seeds import TEST

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ID = "secagent/Lifetime-v0"
BASELINE = "myopic"
TABLE, PICTURE = "lifetime.md", "lifetime.png"


@dataclass(frozen=True)
class Episode:
    """One episode of one policy.

    Attributes
    ----------
    policy, number
        Whose, and which one.
    served, unserved
        Tasks served, and not.
    bound
        No policy serves more in this episode.
    seconds
        Processor time per decision, s.
    battery_j
        The batteries at the start and after each task, (tasks + 1, N), J.
    """

    policy: str
    number: int
    served: int
    unserved: int
    bound: int
    seconds: float
    battery_j: np.ndarray


def player(name: str, scenario: Scenario) -> tuple[Any, Any]:
    """Return an environment and the policy called ``name``, with ``reset`` and ``act``, that plays it.

    A policy of :mod:`solvers.lifetime.policies`, any solver (which then decides each task by itself), or a trained
    agent, shipped or at a path; one that was trained on ``secagent/Allocation-v0`` plays as a solver.

    Raises
    ------
    ValueError
        If there is no such policy.
    """

    def made(**formats: Any) -> Any:
        return gymnasium.make(ID, scenario=scenario, **formats)

    if name in solvers.lifetime.policies.names():
        env = made(action_format="dict")
        return env, solvers.lifetime.policies.make_policy(name, env)
    if name in solvers.names():
        env = made(action_format="dict")
        return env, solvers.as_policy(solvers.make(name), env)
    if name not in training.names() and not training.is_path(name):
        raise unknown_name("policy", name, [*solvers.lifetime.policies.names(), *solvers.names(), *training.names()])
    agent = training.load_agent(name)
    if agent.environment != ID:
        env = made(action_format="dict")
        return env, solvers.as_policy(agent, env)
    return made(action_format=agent.action_format, observation_format=agent.observation_format), agent


def play(name: str, env: Any, policy: Any, seed: int, number: int = 0) -> Episode:
    """Let a policy play the episode that ``seed`` determines."""
    observation, _ = env.reset(seed=seed)
    policy.reset(seed=seed)
    running = env.unwrapped
    bound = solvers.lifetime.policies.tasks_bound(running.instance, running.battery_j, running.least_energy_j)
    batteries, served, seconds, ended = [running.battery_j], 0, 0.0, False
    while not ended:
        began = time.process_time()
        action = policy.act(observation)
        seconds += time.process_time() - began
        observation, _, terminated, truncated, info = env.step(action)
        ended = terminated or truncated
        served += info["served"]
        batteries.append(info["battery_j"])
    tasks = len(batteries) - 1
    return Episode(name, number, served, tasks - served, bound, seconds / tasks, np.stack(batteries))


def run(names: Sequence[str], scenario: Scenario, episodes: int, seed: int) -> Iterator[Episode]:
    """Yield every policy's episodes, all policies on one after the other; episode i has the seed ``seed + i``."""
    players = {name: player(name, scenario) for name in names}
    for number in range(episodes):
        for name, (env, policy) in players.items():
            yield play(name, env, policy, seed + number, number)


def markdown(played: Mapping[str, Sequence[Episode]]) -> str:
    """Return the table of the policies' episodes, in Markdown."""
    lines = []
    baseline = [episode.served for episode in played.get(BASELINE, ())]
    for name, found in played.items():
        served, bound = (np.array([getattr(e, column) for e in found], float) for column in ("served", "bound"))
        attainable = bound > 0
        versus = "–"
        if baseline and name != BASELINE:
            versus = _signed(paired_difference(served, np.array(baseline)))
        lines.append(
            [
                name,
                count(bootstrap_mean(served)),
                percent(bootstrap_mean(served[attainable] / bound[attainable])),
                versus,
                f"{np.mean([e.unserved for e in found]):.2g}",
                f"{1e3 * np.median([e.seconds for e in found]):.2g} ms",
            ]
        )
    bounds = [episode.bound for episode in next(iter(played.values()))]
    lines.append(["upper bound", count(bootstrap_mean(bounds)), "100 %", "–", "–", "–"])
    headers = ["policy", "tasks served", "of the bound", f"more than {BASELINE}", "unserved", "time per decision"]
    note = (
        f"Means with {CONFIDENCE:.0%} bootstrap intervals over {len(bounds)} episodes, the same for every policy; "
        "differences are of pairs."
    )
    return tabulated(lines, headers) + f"\n\n{note}\n"


def _signed(interval: Interval) -> str:
    mean, low, high = (f"{value:+.3g}".replace("-", "−") for value in (interval.mean, interval.low, interval.high))
    return mean if np.isnan(interval.low) or interval.low == interval.high else f"{mean} [{low}, {high}]"


def save_picture(played: Mapping[str, Sequence[Episode]], path: Path) -> None:
    """Draw the tasks served, and the batteries of two policies over one episode, and write the PNG file."""
    require("matplotlib", extra="eval")
    with own_style():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(13, 4.2), dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        shown = list(played)[:2]
        left, *right = figure.subplots(1, 1 + len(shown), width_ratios=[1.3, *(1 for _ in shown)])
        rows = {name: [e.served for e in found] for name, found in played.items()}
        rows["upper bound"] = [e.bound for e in next(iter(played.values()))]
        for line, values in enumerate(rows.values()):
            draw_values(left, line, np.array(values, float))
        left.set_yticks(range(len(rows)), list(rows))
        left.set_ylim(len(rows) - 0.5, -0.5)
        left.set_xlabel("tasks served in an episode (a diamond: the mean, with its interval)")
        left.grid(axis="x", color=FAINT)
        left.tick_params(axis="y", length=0)
        longest = max(played[name][0].battery_j.shape[0] for name in shown)
        for ax, name in zip(right, shown, strict=True):
            _draw_batteries(ax, played[name][0], longest)
        with whole_file(path) as file:
            figure.savefig(file, format="png")


def _draw_batteries(ax: Axes, episode: Episode, longest: int) -> None:
    """Draw every agent's battery over the tasks."""
    ax.plot(episode.battery_j / 1e3, color=BLUE, lw=1, alpha=0.7)
    ax.set_xlim(0, longest)
    ax.set_ylim(0)
    ax.set_title(f"{episode.policy}: {episode.served} tasks served", size=9.5, weight="bold", loc="left")
    ax.set_xlabel("task")
    ax.set_ylabel("battery of each agent, kJ", color=DIM)


def collected(episodes: Iterable[Episode]) -> dict[str, list[Episode]]:
    """Return the episodes by policy."""
    played: dict[str, list[Episode]] = {}
    for episode in episodes:
        played.setdefault(episode.policy, []).append(episode)
    return played


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare policies, print the table, and write it and the picture."""
    parser = argparse.ArgumentParser(prog="python -m eval.studies.lifetime", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--policies",
        nargs="+",
        default=list(solvers.lifetime.policies.names()),
        metavar="NAME",
        help="of solvers.lifetime.policies, a solver, a trained agent, or the path of one; default: %(default)s",
    )
    parser.add_argument("--scenario", default="paper", help="a preset; default: paper")
    parser.add_argument("--episodes", type=int, default=100, help="default: 100")
    parser.add_argument("--seed", type=int, default=TEST.start, help="of the first episode; default: the test seeds")
    parser.add_argument("--out", type=Path, default=Path("results"), help="default: results")
    options = parser.parse_args(arguments)
    if options.episodes < 1:
        parser.error(f"--episodes must be at least 1, got {options.episodes}")
    try:
        episodes = run(options.policies, Scenario.preset(options.scenario), options.episodes, options.seed)
        total = options.episodes * len(options.policies)
        bar = require("tqdm", extra="eval").tqdm(episodes, total=total, unit="episode", disable=None)
        played = collected(bar)
    except (ValueError, OSError, ImportError) as error:
        parser.error(str(error))
    table = markdown(played)
    print(table, end="")
    options.out.mkdir(parents=True, exist_ok=True)
    write_text(options.out / TABLE, table)
    save_picture(played, options.out / PICTURE)


if __name__ == "__main__":
    main()

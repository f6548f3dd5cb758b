"""GenAINet's power control: what talking is worth, beside DPC, the certified optimum and the second paper.

``python -m eval.experiments.genainet_power.experiment --pairs 2 4 10 --draws 1000`` prints the table of
``docs/genainet.md`` (the paper's Table 2); ``--picture`` draws the rounds (its Figs 7 and 8), ``--page`` writes a page
of one game. With ``--model`` (and ``--base-url``) a language model answers instead of the stand-in.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval.compare.convergence import check_picture
from eval.compare.looks import LIGHT
from eval.experiments.genainet_power.cells import LEARNT, OPTIMUM, REFERENCE, Course, run
from eval.experiments.genainet_power.page import save_page
from eval.stats.formatting import NONE, percent, tabulated
from eval.stats.paired import paired_ratio
from eval.stats.statistics import CONFIDENCE, Interval, bootstrap_mean
from eval.studies.power_control import DRAWS, PAPER
from secagent_env.power_control import sample_game
from secagent_env.power_control.match import ROUNDS
from secagent_env.rendering.style import BLUE, GREEN, GREY, INK, ORANGE, RED, own_style
from secagent_env.support.extras import require
from secagent_env.support.files import whole_file, write_text
from solvers.genainet import GenAINet

TABLE = "genainet.md"
GAMES = {
    "infeasible": "not all targets can be reached",
    "feasible": "all targets can be reached",
    "all": "as they are drawn",
}
EXPERIMENTS = ("genainet-table2", "genainet-fig7", "genainet-fig8")
"""What `secagent reproduce` knows them by."""
CURVES = 4
"""Pairs of the paper's Figs 7 and 8."""
SEED = 1
"""Of the games; the stand-in's rules were chosen on seed 0."""
PAPER_MESSAGES = {2: "3.72", 4: "5.00", 10: "3.80"}
"""Messages per transmitter in the paper's Table 2, of GenAINet."""


def markdown(courses: Sequence[Course], of: str = "infeasible") -> str:
    """Return the table of courses at their ends, with the paper's figures below those of the same number of pairs.

    ``of`` says which games they are of; the paper tells of infeasible ones alone.
    """
    lines: list[list[str]] = []
    by_pairs: dict[int, list[Course]] = {}
    for course in courses:
        by_pairs.setdefault(course.num_pairs, []).append(course)
    for num_pairs, found in by_pairs.items():
        [reference] = [course for course in found if course.method == REFERENCE]
        lines += [_row(course, reference) for course in found]
        for method, (kbps, watt) in PAPER.get(num_pairs, {}).items() if of == "infeasible" else ():
            messages = PAPER_MESSAGES[num_pairs] if method == "GenAINet" else NONE
            lines.append(
                [str(num_pairs), f"paper: {method}", f"{kbps} kbps", NONE, f"{watt:.1f}", NONE, NONE, messages]
            )
    headers = [
        *("pairs", "method", "absolute rate gap, bit/s/Hz", "gap beside DPC's", "total power, W", "power beside DPC's"),
        *("least share of a target SINR", "messages per transmitter (proposals)"),
    ]
    text = tabulated(lines, headers)
    draws = courses[0].rate_gap.shape[1] if courses else 0
    faults = sum(course.faults for course in courses)
    note = (
        f"Means with {CONFIDENCE:.0%} bootstrap intervals over {draws} games ({GAMES[of]}), the same for every "
        f"method; ratios are of means over the same games. (no LLM): rules stand in for a model. "
        f"Unusable replies: {faults}."
    )
    return "\n\n".join([text, note, *_worth(by_pairs)]) + "\n"


def _worth(by_pairs: Mapping[int, Sequence[Course]]) -> list[str]:
    """Return in a sentence for each number of pairs what messages are worth: the same agents with and without them."""
    sentences = []
    for num_pairs, found in by_pairs.items():
        deaf = next((course for course in found if "without messages" in course.method), None)
        talking = next((course for course in found if deaf and course.method == _talking(deaf.method)), None)
        if deaf is None or talking is None:
            continue
        gap, power = (
            percent(paired_ratio(with_them[-1], without[-1]))
            for with_them, without in (
                (talking.rate_gap, deaf.rate_gap),
                (talking.total_power_w, deaf.total_power_w),
            )
        )
        sentences.append(f"{num_pairs} pairs: with messages, {gap} of the gap without them, at {power} of the power.")
    return ["  \n".join(sentences)] if sentences else []


def _talking(method: str) -> str:
    """Return the name of the same agents when their messages arrive."""
    return method.replace(" without messages", "")


def _row(course: Course, reference: Course) -> list[str]:
    gap, power = (bootstrap_mean(values[-1]) for values in (course.rate_gap, course.total_power_w))
    beside = [NONE, NONE]
    if course is not reference:
        beside = [
            percent(paired_ratio(values[-1], others[-1]))
            for values, others in (
                (course.rate_gap, reference.rate_gap),
                (course.total_power_w, reference.total_power_w),
            )
        ]
    written = NONE
    if course.messages is not None and course.proposals is not None:
        written = f"{course.messages.mean():.2f} ({course.proposals.mean():.2f})"
    share = percent(bootstrap_mean(course.share))
    cells = [_number(gap, 4), beside[0], _number(power, 2), beside[1], share, written]
    return [str(course.num_pairs), course.method, *cells]


def _number(interval: Interval, decimals: int) -> str:
    mean, low, high = (f"{value:.{decimals}f}" for value in (interval.mean, interval.low, interval.high))
    return mean if np.isnan(interval.low) or low == high else f"{mean} [{low}, {high}]"


def rounds_table(courses: Sequence[Course], field: str) -> list[tuple[str, list[Interval]]]:
    """Return, by method, the mean of ``rate_gap`` or ``total_power_w`` in each round: the paper's Figs 7 and 8."""
    return [(course.method, [bootstrap_mean(values) for values in getattr(course, field)]) for course in courses]


def save_picture(courses: Sequence[Course], path: Path) -> None:
    """Draw rate gap and total power over the rounds, means with their intervals; courses of one number of pairs."""
    check_picture(path)
    require("matplotlib", extra="eval")
    panels = {"rate_gap": "absolute rate gap, bit/s/Hz (Fig. 7)", "total_power_w": "total power, W (Fig. 8)"}
    own = {REFERENCE: (GREY, "-"), OPTIMUM: (INK, "--"), LEARNT: (LIGHT["pink"], "-.")}
    teams = iter([(ORANGE, "-"), (RED, ":"), (BLUE, "-"), (GREEN, "-")])
    styles = {course.method: own.get(course.method) or next(teams) for course in courses}
    with own_style():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(10, 4.2), dpi=160, layout="constrained")
        FigureCanvasAgg(figure)
        for ax, (field, title) in zip(figure.subplots(1, 2), panels.items(), strict=True):
            for method, means in rounds_table(courses, field):
                colour, line = styles[method]
                x = np.arange(len(means))
                ax.plot(x, [interval.mean for interval in means], color=colour, ls=line, lw=1.6, label=method)
                low, high = ([getattr(interval, end) for interval in means] for end in ("low", "high"))
                ax.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
            ax.set_title(f"{title}, {courses[0].num_pairs} pairs", loc="left", size=9.5)
            ax.set_xlabel("round")
            ax.set_ylim(0)
        figure.legend(
            *figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=8
        )
        with whole_file(path) as file:
            figure.savefig(file, format=path.suffix[1:].lower())


def pairs_of(experiments: Sequence[str]) -> list[int]:
    """Return the numbers of pairs that experiments are about."""
    return list(PAPER) if "genainet-table2" in experiments else [CURVES]


def reproduce(experiments: Sequence[str], draws: int, seed: int, out: Path, **how: Any) -> str:
    """Return the second paper's table and curves in Markdown, and write them, with their picture, into a folder.

    Parameters
    ----------
    experiments
        Of ``EXPERIMENTS``.
    draws, seed
        How many games of each number of pairs, and from which seed.
    out
        The folder; made if need be.
    how
        See :func:`eval.sweep.engine.run_sweep`.
    """
    courses = run(pairs_of(experiments), draws, seed, out, **how)
    shown = [course for course in courses if course.num_pairs == CURVES]
    parts = []
    if "genainet-table2" in experiments:
        parts.append(f"## GenAINet, Table 2: power control\n\n{markdown(courses)}")
    for name, field, title in (
        ("genainet-fig7", "rate_gap", "Fig. 7: absolute rate gap, bit/s/Hz"),
        ("genainet-fig8", "total_power_w", "Fig. 8: total power, W"),
    ):
        if name in experiments:
            lines = [
                [method, *(_number(mean, 3 if field == "rate_gap" else 1) for mean in means)]
                for method, means in rounds_table(shown, field)
            ]
            headers = ["method", *(f"round {number}" for number in range(len(lines[0]) - 1))]
            text = tabulated(lines, headers)
            parts.append(f"## GenAINet, {title}, {CURVES} pairs\n\n{text}\n")
    if parts[1:] or "genainet-table2" not in experiments:
        for suffix in (".png", ".pdf"):
            save_picture(shown, out / f"genainet{suffix}")
    whole = "\n".join(parts)
    write_text(out / TABLE, whole)
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table and write it, draw the rounds, or write the page of a game."""
    parser = argparse.ArgumentParser(
        prog="python -m eval.experiments.genainet_power.experiment", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--pairs", nargs="+", type=int, default=list(PAPER), metavar="N", help="default: 2 4 10")
    parser.add_argument("--draws", type=int, default=1000, help="games of each number of pairs; default: 1000")
    parser.add_argument("--of", choices=list(DRAWS), default="infeasible", help="which games; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default: {ROUNDS}")
    parser.add_argument("--seed", type=int, default=SEED, help="default: 1; the stand-in's rules were chosen on seed 0")
    parser.add_argument("--model", help="a language model instead of the stand-in; its key is that of OPENAI_API_KEY")
    parser.add_argument("--base-url", help="of its endpoint")
    parser.add_argument("--transcript", help="a file that records what it says, and answers what it has said before")
    parser.add_argument("--replay", help="a transcript to take all replies from")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the rounds of 4 pairs: .png, .pdf or .svg")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write an HTML page of one game, and nothing else")
    parser.add_argument("--organisation", default="distributed", help="of the page's game; default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("results"), help="default: results; a run resumes there")
    parser.add_argument("--workers", type=int, metavar="K", help="processes (default: one per core)")
    parser.add_argument("--retry-failed", action="store_true", help="play games again that failed")
    options = parser.parse_args(arguments)
    named = {name: getattr(options, name) for name in ("model", "base_url", "transcript", "replay")}
    model = {name: value for name, value in named.items() if value is not None}
    try:
        if options.page is not None:
            num_pairs = options.pairs[0] if options.pairs != list(PAPER) else 4
            team = GenAINet(**model, organisation=options.organisation)
            game = sample_game(num_pairs, options.seed, (1,), feasible=DRAWS[options.of])[0]
            save_page(team.play(game, options.rounds, options.seed), options.page)
            return
        if options.picture is not None:
            check_picture(options.picture)
        how = {"workers": options.workers, "retry_failed": options.retry_failed}
        games = (options.rounds, model, DRAWS[options.of])
        courses = run(options.pairs, options.draws, options.seed, options.out, *games, **how)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    table = markdown(courses, options.of)
    print(table, end="")
    write_text(options.out / TABLE, table)
    if options.picture is not None:
        shown = CURVES if CURVES in options.pairs else options.pairs[0]
        save_picture([course for course in courses if course.num_pairs == shown], options.picture)


if __name__ == "__main__":
    main()

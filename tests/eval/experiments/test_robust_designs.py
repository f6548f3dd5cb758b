"""Designs for estimated channels: a reduced form of the experiment, and its figures by hand."""

import math
from pathlib import Path

import numpy as np
import pytest

import solvers
from eval.compare.solving import instance_at, solver_seed
from eval.experiments import protocol
from eval.experiments.robust import experiment as experiment_module
from eval.experiments.robust.cells import BEFOREHAND, ESTIMATE, TRUTH, told_of
from eval.experiments.robust.experiment import ALL_KNOWN, NO_ESTIMATE, RobustDesigns
from eval.experiments.robust.tables import MARGIN, Setting, chosen_margins, figures, markdown
from secagent_env import Scenario, evaluate
from secagent_env.model.prior import PRIOR
from secagent_env.sampling.estimation import estimate_generator, posterior_eavesdroppers

pandas = pytest.importorskip("pandas")
pytest.importorskip("matplotlib")

TINY = "num_agents = 6\nnum_antennas = 4\nmin_selected = 2\neve_area_m = [20, 100]\n"


def test_a_reduced_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(experiment_module, "MARGINS_DB", (0.0, 3.0))
    (tmp_path / "tiny.toml").write_text(TINY)
    preset = str(tmp_path / "tiny.toml")
    experiment = RobustDesigns(
        (preset,),
        errors=(0.1,),
        outages=(0.1, 0.3),
        nominal=("asc-plus",),
        robust=("robust(designs=2)",),
        agents=(),
        instances=1,
    )
    text = protocol.run(experiment, tmp_path / "out", workers=1, progress=False)
    rows = pandas.read_csv(tmp_path / "out" / "robust.csv")
    schemes = ["asc-plus", "robust(designs=2)", MARGIN, NO_ESTIMATE, ALL_KNOWN]
    found = list(zip(rows["outage"], rows["scheme"], strict=True))
    assert found == [(outage, scheme) for outage in (0.1, 0.3) for scheme in schemes]
    assert "ε = 0.1, δ = 0.3" in text
    assert (tmp_path / "out" / "robust.png").exists()
    known = rows[rows["scheme"] == ALL_KNOWN]
    assert (known["on_truth"] == known["served"]).all()

    truths = [instance_at(Scenario.from_toml(preset), 0, index) for index in range(1)]
    estimates = [posterior_eavesdroppers(truth, 0.1, estimate_generator(0, i)) for i, truth in enumerate(truths)]
    designs = [solvers.make("asc-plus").solve(told, solver_seed(0, i)) for i, told in enumerate(estimates)]
    holding = [
        bool(evaluate(truth, design.decision).feasible)
        for truth, design in zip(truths, designs, strict=True)
        if design.outcome.feasible
    ]
    nominal = rows[rows["scheme"] == "asc-plus"]
    assert set(nominal["served"]) == {len(holding)}
    assert set(nominal["on_truth"]) == {sum(holding)}
    robust = rows[rows["scheme"] == "robust(designs=2)"]
    assert (robust["certified"].isna() | (robust["certified"] <= robust["outage"])).all()


def test_schemes_are_told_what_their_names_say():
    truth = instance_at(Scenario.preset("small"), 0, 0)
    known = posterior_eavesdroppers(truth, 0.1, 0)
    assert told_of(truth, known, TRUTH, 0.0) is truth
    assert told_of(truth, known, ESTIMATE, 0.0) is known
    before = told_of(truth, known, BEFOREHAND, 0.0)
    assert all(getattr(before, name) is None for name in PRIOR)
    np.testing.assert_array_equal(before.channel_eve, known.channel_eve)
    louder = told_of(truth, known, ESTIMATE, 10.0)
    np.testing.assert_allclose(np.abs(louder.channel_eve) ** 2, 10 * np.abs(known.channel_eve) ** 2)
    np.testing.assert_allclose(louder.gain_eve, 10 * known.gain_eve)


def row(scheme: str, index: int, **changes):
    usual = {
        "scheme": scheme, "index": index, "preset": "paper", "error_variance": 0.1, "margin_db": 0.0, "allowed": None,
        "status": "feasible", "served": True, "outage": 0.01, "quantiles": "[110.0]", "truth": 110.0, "bound": 100.0,
        "selection": "f0", "certified": None, "seconds": 1.0,
    }  # fmt: skip
    return {**usual, **changes}


def test_figures_by_hand():
    setting = Setting("paper", 0.1, 0.05)
    rows = [
        row("asc-plus", 0, outage=0.4, quantiles="[null]", truth=math.inf),
        row("asc-plus", 1),
        row("robust", 0, allowed=0.05, certified=0.03, selection="0f", quantiles="[121.0]", truth=121.0),
        row("robust", 1, allowed=0.05, status="failed", served=False, outage=0.2, truth=math.inf, seconds=3.0),
        row("robust", 0, allowed=0.2),
        row(ALL_KNOWN, 0, truth=100.0),
        row(ALL_KNOWN, 1, truth=100.0),
    ]
    fixed = [row(MARGIN, 0, margin_db=3.0), row(MARGIN, 1, margin_db=3.0, outage=0.06), row(MARGIN, 0, margin_db=6.0)]
    frames = [pandas.DataFrame(some) for some in (rows, fixed)]
    schemes = {name: [name] for name in ("asc-plus", "robust", MARGIN, ALL_KNOWN)}
    numbers = figures(*frames, [setting], (0.05,), {setting: 3.0}, schemes, ALL_KNOWN)
    nominal, robust, margin, _ = numbers
    assert (nominal["served"], nominal["holding"], nominal["on_truth"]) == (2, 1, 1)
    assert nominal["mean_outage"] == pytest.approx(0.205)
    assert (robust["served"], robust["failed"], robust["infeasible"], robust["holding"]) == (1, 1, 0, 1)
    assert robust["over_bound"] == pytest.approx(0.21)
    assert robust["regret"] == pytest.approx(0.21)
    assert (robust["certified"], robust["other_selection"], robust["seconds"]) == (0.03, 1, 2.0)
    assert (margin["networks"], margin["holding"], margin["margin_db"]) == (2, 2, 3.0)  # 0.06: within the draws' error
    assert markdown(numbers).count("\n| ") == 5


def test_trainings_of_one_learner_make_one_row():
    setting = Setting("paper", 0.1, 0.05)
    rows = [row("run-0", 0), row("run-0", 1, outage=0.4), row("run-1", 0), row("run-1", 1), row(ALL_KNOWN, 0)]
    rows += [row(ALL_KNOWN, 1)]
    fixed = pandas.DataFrame([row(MARGIN, 0), row(MARGIN, 1)])
    schemes = {"ppo (2 seeds)": ["run-0", "run-1"], ALL_KNOWN: [ALL_KNOWN]}
    numbers = figures(pandas.DataFrame(rows), fixed, [setting], (0.05,), {setting: 0.0}, schemes, ALL_KNOWN)
    assert [(each["scheme"], each["networks"], each["holding"]) for each in numbers] == [
        ("ppo (2 seeds)", 4, 3),
        (ALL_KNOWN, 2, 2),
    ]
    assert numbers[0]["hold"] == 0.75
    assert 0.0 <= numbers[0]["hold_low"] < 0.75 < numbers[0]["hold_high"] == 1.0


def test_the_least_margin_with_which_most_designs_hold_is_chosen():
    at = {0.0: (0.5, 0.5), 3.0: (0.01, 0.5), 6.0: (0.01, 0.02), 10.0: (0.0, 0.0), 20.0: (0.0, 0.9)}
    rows = [row(MARGIN, i, margin_db=m, outage=o) for m, outages in at.items() for i, o in enumerate(outages)]
    rows.append(row(MARGIN, 0, margin_db=3.0, outage=0.0, error_variance=0.3))
    chosen = chosen_margins(pandas.DataFrame(rows), [Setting("paper", 0.1, 0.05), Setting("paper", 0.1, 0.6)])
    assert list(chosen.values()) == [6.0, 0.0]


def test_the_page_shows_the_rows_beside_it():
    docs = Path(__file__).parents[3] / "docs"
    rows = pandas.read_csv(docs / "robust.csv").to_dict("records")
    for each in rows:
        each["margin_db"] = None if math.isnan(each["margin_db"]) else each["margin_db"]
    assert markdown(rows).strip() in (docs / "robust.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"errors": (1.0,)}, "errors must be"),
        ({"outages": (0.0,)}, "outages must be"),
        ({"nominal": ("exct",)}, "unknown solver 'exct'"),
        ({"instances": 0}, "instances must be"),
    ],
)
def test_bad_options(options, said):
    with pytest.raises(ValueError, match=said):
        RobustDesigns(("small",), **options)

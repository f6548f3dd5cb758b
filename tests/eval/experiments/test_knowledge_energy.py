"""The link between knowledge and energy: scenarios from measured accuracies, and the frontier over them."""

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import secagent_env  # noqa: F401 (registers the environments)
from eval.experiments.knowledge_energy import experiment as knowledge_energy
from eval.experiments.knowledge_energy.experiment import KnowledgeEnergy, NetworkPreset, linked
from eval.experiments.knowledge_energy.printed import PRINTED
from eval.experiments.knowledge_energy.results import Curve, FrontierPoint, best, frontier
from eval.experiments.knowledge_energy.tables import advice, energy_tables
from eval.experiments.protocol import run
from eval.stats.statistics import Interval
from eval.sweep.engine import Sweep, run_sweep
from secagent_env import Scenario, sample_instance
from solvers.knowledge.link import mean_accuracy, with_knowledge

CURVE = Curve("test", ((0.0, 0.5), (0.5, 0.6), (1.0, 0.65)), bits=4e6)


@pytest.mark.parametrize("preset", ["paper", "contested", "qwen"])
def test_mean_accuracy_is_that_of_drawn_agents(preset):
    scenario = Scenario.preset(preset)
    drawn = sample_instance(scenario, seed=3, batch=(3000,)).accuracy
    assert mean_accuracy(scenario) == pytest.approx(drawn.mean(), abs=4 * drawn.std() / np.sqrt(drawn.size) + 1e-4)


def test_mean_accuracy_of_one_kind_of_agent_is_the_scaling_law():
    scenario = Scenario(model_dim=(3000, 3000), training_budget=(1000, 1000))
    assert mean_accuracy(scenario) == pytest.approx(1 - np.exp(0.2 - 0.225 * np.log(1000)), rel=1e-9)


@given(accuracy=st.floats(0.02, 0.97), bits=st.floats(0, 1e12))
@settings(max_examples=30, deadline=None)
def test_the_linked_scenario_has_the_measured_accuracy_and_the_bits(accuracy, bits):
    scenario = with_knowledge(Scenario(), bits, accuracy)
    assert mean_accuracy(scenario) == pytest.approx(accuracy, abs=1e-9)
    assert scenario.knowledge_bits == bits
    assert scenario.replace(knowledge_bits=10e6, task_difficulty=1.0) == Scenario()


def test_agents_keep_their_order_when_the_task_gets_harder():
    easy, hard = (
        sample_instance(with_knowledge(Scenario(), 1e6, accuracy), seed=1).accuracy for accuracy in (0.8, 0.5)
    )
    assert (hard < easy).all()
    assert (np.argsort(hard) == np.argsort(easy)).all()


@pytest.mark.parametrize("accuracy", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_an_accuracy_that_is_none_is_refused(accuracy):
    with pytest.raises(ValueError, match="accuracy must be a finite number > 0 and < 1"):
        with_knowledge(Scenario(), 1e6, accuracy)


def test_agents_who_know_nothing_cannot_become_accurate():
    # M(k) ln C < R: (14) is 0 however easy the task is
    hopeless = Scenario(model_dim=(10, 10), training_budget=(2, 2))
    with pytest.raises(ValueError, match="choose larger models or training budgets"):
        with_knowledge(hopeless, 1e6, 0.5)


def test_an_environment_plays_the_linked_scenario():
    scenario = with_knowledge(Scenario.preset("small"), 3e6, 0.6)
    with gym.make("secagent/Allocation-v0", scenario=scenario) as env:
        env.reset(seed=0)
        assert env.unwrapped.instance.scenario == scenario


@pytest.mark.parametrize("ratios", [(0.0, 0.5), (0.5, 1.0), (0.0, 1.0, 0.5), (0.0, 0.0, 1.0), ()])
def test_a_curve_goes_from_nothing_to_all(ratios):
    with pytest.raises(ValueError, match="from the ratio 0 to 1"):
        Curve("broken", tuple((ratio, 0.5) for ratio in ratios))


def test_the_knowledge_sent_is_the_ratio_of_all_of_it():
    scenario = Scenario.preset("contested")
    bits = [own.knowledge_bits for own in linked(scenario, PRINTED).values()]
    assert bits == [0.0, pytest.approx(0.4552 * 80e9), 80e9]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    monkeypatch = pytest.MonkeyPatch()
    with monkeypatch.context() as patch:
        patch.setattr(knowledge_energy, "NETWORKS", {"small": NetworkPreset(3, 6)})
        out = tmp_path_factory.mktemp("frontier")
        experiment = KnowledgeEnergy(8, curves=[CURVE])
        text = run(experiment, out, workers=1, progress=False)
        frame = run_sweep(Sweep(experiment.cells()), out, workers=1, progress=False)
    return out, text, frontier(frame), frame


def test_less_knowledge_never_makes_a_task_cheaper_where_sending_costs_next_to_nothing(found):
    _, _, results, _ = found
    exact = [e for e in results if e.scheme == "exact" and e.relative is not None]
    assert len(exact) > 4
    assert all(e.relative.mean >= 1 - 1e-6 for e in exact)
    assert any(e.relative.mean > 1 + 1e-3 for e in exact)


def test_more_accuracy_never_costs_less(found):
    _, _, _, frame = found
    exact = frame[(frame["scheme"] == "exact") & frame["feasible"].astype(bool)]
    for _, own in exact.groupby(["ratio", "index"]):
        energy = own.sort_values("required")["energy_j"].to_numpy(float)
        assert (np.diff(energy) >= -1e-9 * energy[:-1]).all()


def test_rows_say_how_accurate_the_selected_are(found):
    _, _, _, frame = found
    solved = frame[frame["feasible"].astype(bool)]
    assert (solved["mean_accuracy"] >= solved["required"] - 1e-6).all()
    assert solved["voted_accuracy"].between(0, 1).all()
    few = frame[frame["index"] == frame["index"].max()]
    assert few["index"].max() == 5  # at most as many instances as the network says


def test_files_hold_what_is_printed(found):
    out, text, results, _ = found
    assert (out / "knowledge-energy.md").read_text() == text
    for name in ("knowledge-energy.csv", "knowledge-energy.png", "knowledge-energy.pdf"):
        assert (out / name).stat().st_size > 200
    assert "`small`, test" in text
    assert "exact is proved to be within" in text
    assert advice(results) in text


def entry(ratio, mean, feasible=10, scheme="exact"):
    interval = Interval(mean, mean - 1, mean + 1, 10)
    relative = Interval(mean / 100, mean / 100 - 0.01, mean / 100 + 0.01, 10)
    return FrontierPoint(
        "net", "curve", ratio, 0.7, scheme, feasible, 10, interval, interval, interval, interval, relative
    )


def test_the_best_ratio_is_the_cheapest_that_nearly_all_can_meet():
    row = [entry(0.0, 50, feasible=3), entry(0.5, 90), entry(1.0, 100)]
    assert best(row).ratio == 0.5
    assert best([entry(0.0, 50, feasible=3)]) is None
    assert best([entry(0.0, 80, feasible=9), *row[1:]]).ratio == 0.0
    told = advice(row)
    assert "send 50% of it, which saves 10 %" in told
    assert "send all of it" in advice([entry(0.5, 110), entry(1.0, 100)])
    assert "as much within the error" in advice([entry(0.5, 99.5), entry(1.0, 100)])


def test_what_too_few_can_meet_is_counted_not_averaged():
    row = [
        entry(ratio, mean, 3 if not ratio else 10, who)
        for who in ("exact", "asc-plus")
        for ratio, mean in ((0.0, 50), (0.5, 90), (1.0, 100))
    ]
    table = energy_tables(row, [Curve("curve", CURVE.points)])
    assert "– (3/10 feasible)" in table
    assert "50%, 90.00 J" in table


def test_no_instances_is_refused():
    with pytest.raises(ValueError, match="integer ≥ 1"):
        KnowledgeEnergy(0, curves=[CURVE])

"""The study of transfer: a reduced form of it, its figures, and what policies see."""

import math
from pathlib import Path

import numpy as np
import pytest

import solvers
from eval.compare.solving import solver_seed
from eval.experiments import protocol
from eval.studies.transfer.results import figures, markdown, overview
from eval.studies.transfer.study import Transfer
from secagent_env import Scenario, evaluate, sample_instance
from secagent_env.allocation.actions import action_format
from secagent_env.allocation.observations import OBSERVATION_FORMATS, observe
from training.learn import seeds

pandas = pytest.importorskip("pandas")
pytest.importorskip("sb3_contrib")
pytest.importorskip("onnxruntime")

from eval.studies.transfer.random_policy import RandomPolicy  # noqa: E402
from training.learn import train as driver  # noqa: E402
from training.learn import validation  # noqa: E402

DOCS = Path(__file__).parents[3] / "docs"
TINY = "num_agents = 4\nnum_antennas = 4\nmin_accuracy = 0.5\n"


@pytest.fixture
def presets(tmp_path: Path) -> tuple[str, str]:
    """Write two small scenarios to files."""
    (tmp_path / "flat.toml").write_text(TINY)
    (tmp_path / "street.toml").write_text(TINY + 'path_loss = "umi"\nfading = "rician"\n')
    return str(tmp_path / "flat.toml"), str(tmp_path / "street.toml")


def test_a_reduced_form(tmp_path: Path, presets: tuple[str, str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(validation, "INSTANCES", 20)
    study = Transfer(presets, ("ppo", "l2o"), instances=4, steps=1024, runs=tmp_path / "runs")
    known = study.cells()
    assert {cell.seed for cell in known if cell.value is not None} == {seeds.TEST.start}
    rehearsed = str(protocol.dry_run(study, tmp_path / "out", workers=1))
    assert "longer for ppo, mixed, ppo, flat, ppo, street, ppo, untrained, of whose time nothing is known" in rehearsed
    assert not (tmp_path / "runs").exists()  # nothing was trained
    text = protocol.run(study, tmp_path / "out", workers=1, progress=False)
    rows = pandas.read_csv(tmp_path / "out" / "transfer.csv")
    agents = ["ppo", "l2o", "ppo (mixed)", "ppo (this preset alone)", "ppo (untrained)", "exact", "random"]
    assert list(zip(rows["preset"], rows["agent"], strict=True)) == [(p, a) for p in ("flat", "street") for a in agents]
    assert text == f"{overview(rows.to_dict('records'))}\n{markdown(rows.to_dict('records'))}"
    assert (tmp_path / "out" / "transfer.png").exists()

    exact = rows[rows["agent"] == "exact"]
    assert (exact["repaired_feasible"] == 1).all()
    assert (exact["repaired_gap"] < 1e-2).all()
    networks = seeds.test_instances(Scenario.from_toml(presets[1]), 4)
    assert (rows["seconds_low"] > 0).all()
    solved = [solvers.make("exact").solve(networks[i], solver_seed(seeds.TEST.start, i)) for i in range(4)]
    possible = [s for s in solved if s.status != "infeasible"]
    assert exact["networks"].iloc[1] == len(possible)
    mean = np.mean([math.log(s.outcome.energy_j / s.lower_bound_j) for s in possible])
    assert exact["repaired_gap"].iloc[1] == pytest.approx(math.expm1(max(mean, 0)), abs=1e-9)

    mixed = tmp_path / "runs" / "ppo-mixed-0"
    assert (mixed / "checkpoint").is_dir()
    assert (mixed / "policy.onnx").is_file()
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {
        "ppo-mixed-0",
        "ppo-flat-0",
        "ppo-street-0",
        "ppo-untrained-0",
    }
    assert rows["cpu_minutes"].notna().tolist() == 2 * [False, False, True, True, False, False, False]
    assert (rows["in a batch"] > 0).tolist() == 2 * [True, True, True, True, True, False, False]

    monkeypatch.setattr(driver, "train", lambda *_, **__: pytest.fail("it was trained before"))
    assert protocol.run(study, tmp_path / "out", workers=1, progress=False) == text


@pytest.mark.parametrize(("name", "page"), [("transfer", "channel-models"), ("selections", "learners")])
def test_the_page_shows_the_rows_beside_it(name: str, page: str):
    rows = pandas.read_csv(DOCS / f"{name}.csv").to_dict("records")
    table, note = markdown(rows).strip().split("\n\n")
    shown = (DOCS / f"{page}.md").read_text()
    assert table in shown
    assert note in shown


def test_the_page_shows_the_overview_of_worlds():
    rows = pandas.read_csv(DOCS / "worlds.csv").to_dict("records")
    assert overview(rows).split("\n\n")[0] in (DOCS / "learners.md").read_text()


def frame_of(networks: list[dict[str, dict]]) -> object:
    rows = []
    for index, schemes in enumerate(networks):
        for scheme, (energy, bound, repaired, *status) in schemes.items():
            rows.append(
                {"value": "p", "index": index, "scheme": scheme, "status": status[0] if status else "feasible",
                 "feasible": energy is not None, "energy_j": energy, "lower_bound_j": bound, "repaired": repaired,
                 "seconds": 1.0 + index}
            )  # fmt: skip
    return pandas.DataFrame(rows)


def test_the_figures_are_over_the_highest_bound_and_leave_out_what_is_impossible():
    frame = frame_of(
        [
            {"exact": (2.0, 2.0, None), "run": (4.0, 1.0, False)},
            {"exact": (1.0, 1.0, None), "run": (8.0, 0.5, False)},
            {"exact": (1.0, 1.0, None), "run": (1.0, 0.5, True)},
            {"exact": (1.0, 1.0, None), "run": (None, 0.5, True)},
            {"exact": (None, None, None, "infeasible"), "run": (None, 0.5, True)},
        ]
    )
    run, exact = figures(frame, {"run": ("mine", 0), "exact": ("exact", 0)})
    assert (run["agent"], run["networks"], run["trainings"]) == ("mine", 4, 1)
    assert (run["feasible"], run["repaired_feasible"]) == (0.5, 0.75)
    assert run["gap"] == pytest.approx(math.sqrt(2 * 8) - 1)
    assert run["repaired_gap"] == pytest.approx(math.cbrt(2 * 8 * 1) - 1)
    assert run["gap_low"] <= run["gap"] <= run["gap_high"] == pytest.approx(7)
    assert run["seconds"] == 2.5
    assert (exact["feasible"], exact["gap"]) == (1.0, 0.0)


def test_the_overview_has_a_line_per_preset_and_a_column_per_agent():
    rows = [
        {"preset": "p", "agent": "mine", "feasible": 0.956, "median": 4.321},
        {"preset": "p", "agent": "exact", "feasible": 1.0, "median": 1e-9},
        {"preset": "q", "agent": "exact", "feasible": 0.0, "median": math.nan},
    ]
    head, _, first, second = overview(rows).split("\n\n")[0].splitlines()
    assert [cell.strip() for cell in head.strip("|").split("|")] == ["networks", "mine", "exact"]
    assert [cell.strip() for cell in first.strip("|").split("|")] == ["p", "96 %, 4.3 %", "100 %, 0 %"]
    assert [cell.strip() for cell in second.strip("|").split("|")] == ["q", "–", "0 %"]


def test_trainings_of_one_learner_are_one_agent():
    frame = frame_of([{"exact": (1.0, 1.0, None), "a": (2.0, 1.0, False), "b": (None, 1.0, True)}] * 3)
    (mine,) = (row for row in figures(frame, {"a": ("mine", 0), "b": ("mine", 1)}))
    assert (mine["trainings"], mine["feasible"], mine["gap"]) == (2, 0.5, pytest.approx(1.0))


@pytest.mark.parametrize("name", OBSERVATION_FORMATS)
def test_policies_see_no_preset_in_an_observation(name: str):
    """Whatever the channel model: the same network looks the same."""
    network = sample_instance("urban-micro", 0)
    models = ("path_loss", "fading", "array", "eve_area_m")
    other = network.replace(
        scenario=network.scenario.replace(**{field: getattr(Scenario(), field) for field in models})
    )
    assert other.scenario == Scenario()
    seen, otherwise = observe(network, name), observe(other, name)
    for part in seen if name == "dict" else [...]:
        np.testing.assert_array_equal(seen[part], otherwise[part])


def test_random_actions_are_of_the_seed_and_repaired():
    network = sample_instance("paper", 0)
    first, second = (RandomPolicy().solve(network, seed=7) for _ in range(2))
    assert first.outcome.energy_j == second.outcome.energy_j
    actions = action_format("guided", network.scenario)
    drawn = actions.decode(np.random.default_rng(7).uniform(-1, 1, actions.space.shape), network)
    assert [record["sub_problem"] for record in first.history] == ["forward pass", "repair"]
    assert first.history[0]["feasible"] == bool(evaluate(network, drawn).feasible) is False
    assert first.outcome.feasible


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"presets": ("paper", "small")}, "num_agents is 30 in the first and 6 in number 2"),
        ({"presets": ("small",)}, "ppo-mlp was trained for 30 agents"),
        ({"presets": ("papers",)}, "unknown preset 'papers'"),
        ({"presets": ("paper", "paper")}, "each preset is named once, got paper paper"),
        ({"agents": ("lifetime-ppo",)}, "plays secagent/Lifetime-v0"),
        ({"learners": ("ppp",)}, "unknown algorithm 'ppp'"),
        ({"steps": 0}, "steps must be an integer ≥ 1"),
        ({"instances": 0}, "instances must be an integer ≥ 1"),
        ({"max_seconds": 0.0}, "max_seconds must be"),
    ],
)
def test_what_cannot_be_compared_is_told(options: dict, sentence: str):
    with pytest.raises(ValueError, match=sentence):
        Transfer(**options)


def test_unseen_presets_and_other_solvers(tmp_path: Path, presets: tuple[str, str], monkeypatch: pytest.MonkeyPatch):
    """Policies of selections are judged on networks of other sizes too, beside solvers, and solvers stopped early."""
    monkeypatch.setattr(validation, "INSTANCES", 20)
    larger = tmp_path / "larger.toml"
    larger.write_text(TINY.replace("num_agents = 4", "num_agents = 7"))
    study = Transfer(
        presets[:1],
        (),
        ("rloo",),
        steps=64,
        unseen=(str(larger),),
        beside=("best-first",),
        equal_seconds=1e-3,
        instances=3,
        runs=tmp_path / "runs",
    )
    protocol.run(study, tmp_path / "out", workers=1, progress=False)
    rows = pandas.read_csv(tmp_path / "out" / "transfer.csv")
    solved = ["exact", "best-first", "exact, 0.001 s", "best-first, 0.001 s", "random"]
    expected = [
        ("flat", "rloo (this preset alone)"),
        ("flat", "rloo (untrained)"),
        *(("flat", name) for name in solved),
    ]
    expected += [("larger", "rloo (flat)"), ("larger", "rloo (untrained)"), *(("larger", name) for name in solved)]
    assert list(zip(rows["preset"], rows["agent"], strict=True)) == expected
    by = rows.set_index(["preset", "agent"])
    assert by.loc[("larger", "exact"), "repaired_feasible"] == 1
    assert by.loc[("larger", "best-first"), "median"] == pytest.approx(
        100 * max(by.loc[("larger", "best-first"), "gap"], 0), abs=1.0
    )


def test_names_are_told_apart():
    with pytest.raises(ValueError, match="each preset is named once, got paper paper"):
        Transfer(("paper",), (), (), unseen=("paper",))
    with pytest.raises(ValueError, match="equal_seconds must be"):
        Transfer(("paper",), (), (), equal_seconds=0.0)
    with pytest.raises(ValueError, match="unknown solver 'best'"):
        Transfer(("paper",), (), (), beside=("best",))

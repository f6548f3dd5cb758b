"""The evaluation of learners: test instances, figures with and without repair, intervals, curves, and shipping."""

import json
from pathlib import Path

import numpy as np
import pytest

import training
from eval.command.cli import main
from eval.learners.cells import TestSet, judge, judge_cheapest, judge_random
from eval.learners.report import markdown, save_curves
from eval.learners.runs import Judgement, Training, set_apart
from eval.learners.shipping import best_training, ship
from eval.learners.study import Learners
from eval.sweep.engine import Sweep, run_sweep
from secagent_env import Scenario, evaluate
from solvers.certificate.bounds import lower_bound
from training.learn import seeds
from training.learn.learner import Task
from training.learn.run_folder import RunFolder
from training.learn.settings import Settings

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from training.learn.export import export_policy, policy_metadata  # noqa: E402

SMALL = Scenario.preset("small", min_selected=None)


class Ranking(torch.nn.Module):
    """Ranks the agents by their energy, times a weight: 1 selects the cheapest, −1 the dearest."""

    def __init__(self, weight: float):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(weight))

    def forward(self, task, agents, eavesdroppers):
        scores = torch.tanh(-self.weight * agents[..., 1])
        rest = torch.tensor([[-0.4, 0.0, 0.0, 0.8, 0.0]]).expand(agents.shape[0], -1)
        return torch.cat([scores, -torch.ones_like(scores), rest + 0 * task[:, :1] + 0 * eavesdroppers[:, 0]], -1)


def finished(folder: Path, algo: str, seed: int, *, weight: float = 1.0, **changes) -> Path:
    """Make the folder of a training that is done, as the driver leaves it."""
    run = RunFolder(folder / f"{algo}-{seed}")
    settings = Settings(policy=changes.get("policy", "equivariant"))
    run.open(
        Task(algo=algo, environment=changes.get("environment", "allocation"), scenario=changes.get("scenario", SMALL),
             settings=settings, seed=seed),
        f"secagent train {algo} --seed {seed}",
    )  # fmt: skip
    for step in range(4):
        run.append_evaluation(
            {"steps": 1000 * step, "wall_seconds": 60.0 * step, "cpu_seconds": 55.0 * step, "feasible": 0.3 * step,
             "gap": 0.5**step + 0.01 * seed if step else None, "score": -1.0}
        )  # fmt: skip
    best = {"steps": 3000, "feasible": 0.9, "gap": 0.1 + 0.01 * seed}
    run.write_config(
        {**run.read_config(), "used": {"steps": 3000, "wall_seconds": 180.0, "cpu_seconds": 165.0}, "best": best}
    )
    inputs = {"task": torch.rand(2, 6), "agents": torch.rand(2, 6, 6), "eavesdroppers": torch.rand(2, 1, 1)}
    metadata = policy_metadata(algo, SMALL, any_agents=changes.get("any_agents", True))
    export_policy(run.policy, Ranking(weight), inputs, metadata)
    return run.path


def test_a_policy_is_judged_on_the_test_instances_against_their_bounds(tmp_path: Path):
    test = TestSet(SMALL, 6, 30)
    instances = seeds.test_instances(SMALL, 30)
    bounds = np.array([lower_bound(instances[i]).energy_j for i in range(30)])
    assert np.isinf(bounds).any()  # those proved infeasible do not count
    instances = instances[np.isfinite(bounds)]
    np.testing.assert_array_equal(test.instances.channel_bs, instances.channel_bs)
    np.testing.assert_array_equal(test.bound_j, bounds[np.isfinite(bounds)])
    path = finished(tmp_path, "ppo", 0)
    row = judge(path, test)
    result = Judgement("ppo", 0, 6, row["gap"], row["repaired_gap"])
    plain = training.load_agent(path, repair=False)
    outcome = evaluate(instances, plain.solve_batch(instances))
    np.testing.assert_array_equal(np.isfinite(result.gap), outcome.feasible)
    feasible = np.asarray(outcome.feasible)
    np.testing.assert_allclose(result.gap[feasible], (outcome.energy_j / test.bound_j - 1)[feasible])
    assert np.isfinite(result.repaired_gap).all()
    assert (result.repaired_gap >= 0).all()
    np.testing.assert_allclose(result.repaired_gap[feasible], result.gap[feasible])
    assert result.row()["feasible"] == feasible.mean()
    assert 0 < row["batch_ms"] < row["single_ms"]


def test_other_sizes_have_a_third_of_the_agents_computing():
    assert TestSet(Scenario.preset("small"), 6, 2).scenario.required_agents == 2
    larger = TestSet(Scenario.preset("small"), 12, 2)
    assert (larger.scenario.num_agents, larger.scenario.required_agents) == (12, 4)


def test_references_say_what_the_format_and_the_repair_do_by_themselves():
    row = judge_random(TestSet(SMALL, 6, 20), 0)
    assert np.isfinite(row["repaired_gap"]).mean() > np.isfinite(row["gap"]).mean()
    assert np.isnan(Judgement("random actions", 0, 6, **row).row()["batch_ms"])


def test_the_cheapest_agents_cost_the_bound_where_they_are_accurate_enough():
    row = judge_cheapest(TestSet(SMALL, 6, 20))
    feasible = np.isfinite(row["gap"])
    assert feasible.any()
    assert (row["gap"][feasible] < 1e-6).all()
    assert np.isfinite(row["repaired_gap"]).all()


def test_what_sets_trainings_of_one_learner_apart_is_in_their_names(tmp_path: Path):
    folders = [tmp_path / name for name in ("a", "b", "c")]
    runs = [finished(folder, algo, 0) for folder, algo in zip(folders, ("ppo", "ppo", "a2c"), strict=True)]
    config = RunFolder(runs[1]).read_config()
    config["hyperparameters"] |= {"steps": 10, "batch_size": 256}
    RunFolder(runs[1]).write_config(config)
    named = [one.learner for one in set_apart([Training.read(run) for run in runs])]
    assert named == ["ppo (steps=1000000, batch_size=None)", "ppo (steps=10, batch_size=256)", "a2c"]
    alike = set_apart([Training.read(runs[0]), Training.read(runs[2])])
    assert [one.learner for one in alike] == ["ppo", "a2c"]


def test_runs_are_judged_at_every_size_they_take(tmp_path: Path):
    paths = [finished(tmp_path, "ppo", 0), finished(tmp_path, "a2c", 0, any_agents=False, policy="mlp")]
    study = Learners([Training.read(path) for path in paths], instances=5, sizes=[6, 9], references=0)
    report = study.report(lambda cells: run_sweep(Sweep(cells), tmp_path / "out", workers=1))
    rows = report.numbers
    assert [(row["learner"], row["num_agents"]) for row in rows] == [("ppo", 6), ("a2c-mlp", 6), ("ppo", 9)]
    assert [(row["steps"], row["cpu_minutes"]) for row in rows] == [(3000, 2.75)] * 3


def test_results_are_of_the_policy_that_is_there(tmp_path: Path):
    path = finished(tmp_path, "ppo", 0)
    [cell] = Learners([Training.read(path)], instances=5, sizes=[], references=0).cells()
    finished(tmp_path / "other", "ppo", 0, weight=-1.0)
    (path / "policy.onnx").write_bytes((tmp_path / "other" / "ppo-0" / "policy.onnx").read_bytes())
    [changed] = Learners([Training.read(path)], instances=5, sizes=[], references=0).cells()
    assert cell.key != changed.key
    with pytest.raises(ValueError, match="was changed, or is another one on this machine"):
        cell.load()(cell)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"environment": "lifetime"}, "plays secagent/Lifetime-v0, only secagent/Allocation-v0 is judged here"),
        ({"scenario": Scenario()}, "have different scenarios; judge them apart"),
    ],
)
def test_runs_that_cannot_be_judged_together(tmp_path: Path, changes, message):
    runs = [Training.read(finished(tmp_path, "ppo", seed, **more)) for seed, more in ((0, {}), (1, changes))]
    with pytest.raises(ValueError, match=message):
        Learners(runs, instances=2)
    with pytest.raises(ValueError, match="there is no training to judge"):
        Learners([])


def test_what_is_no_finished_run_is_told(tmp_path: Path, capsys: pytest.CaptureFixture):
    path = finished(tmp_path, "ppo", 0)
    (path / "policy.onnx").unlink()
    assert main(["study", "learners", str(path)]) == 2
    assert "is not finished: it has no policy.onnx yet" in capsys.readouterr().err
    assert main(["study", "learners", str(tmp_path)]) == 2
    assert "is not the folder of a training" in capsys.readouterr().err


# --- Table, curves, shipping ---------------------------------------------------------------------------------


def test_the_command_writes_table_rows_and_curves_and_ships_the_best_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("matplotlib")
    for seed in (0, 1, 2):
        finished(tmp_path, "ppo", seed, weight=1.0 if seed else -1.0)
    finished(tmp_path, "l2o", 0)
    shelf = tmp_path / "policies"
    shelf.mkdir()
    monkeypatch.setattr("training.play.shipped.POLICIES", shelf)
    out = tmp_path / "out"
    paths = sorted(str(path.parent) for path in tmp_path.glob("*/config.json"))
    arguments = ["--instances", "12", "--sizes", "9", "--references", "1", "--out", str(out), "--ship", "ppo=ppo"]
    assert main(["study", "learners", *paths, *arguments]) == 0
    table = (out / "learners.md").read_text()
    assert capsys.readouterr().out == table
    for learner in ("ppo", "l2o", "untrained", "random actions", "cheapest agents"):
        assert f"| {learner} " in table
    frame = pandas.read_csv(out / "learners.csv")
    assert set(frame["num_agents"]) == {6, 9}
    assert len(frame) == 2 * (4 + 3)
    assert (out / "learning-curves.png").stat().st_size > 1000
    # Seed 0 is best on validation, whatever it does on the test instances.
    assert (shelf / "ppo.onnx").read_bytes() == (tmp_path / "ppo-0" / "policy.onnx").read_bytes()
    assert training.names() == ["ppo"]
    card = (shelf / "ppo.md").read_text()
    for text in ("# ppo\n", "`secagent train ppo --seed 0`", "3,000 steps, 2.8 CPU minutes", "| 9 | "):
        assert text in card, card


def test_an_unknown_learner_is_not_shipped(tmp_path: Path):
    runs = [Training.read(finished(tmp_path, "ppo", 0))]
    with pytest.raises(ValueError, match="unknown learner 'pop'; did you mean 'ppo'"):
        best_training(runs, "pop")
    with pytest.raises(ValueError, match="unknown learner 'pop'; did you mean 'ppo'"):
        Learners(runs, shipped={"mine": "pop"})
    with pytest.raises(ValueError, match="an agent's name must consist of letters, digits and hyphens"):
        ship(runs[0], "../ppo", folder=tmp_path)
    assert ship(runs[0], "mine", folder=tmp_path) == tmp_path / "mine.onnx"
    assert "Not measured here" in (tmp_path / "mine.md").read_text()


def test_a_card_names_all_scenarios_of_a_mixture(tmp_path: Path):
    path = finished(tmp_path, "ppo", 0)
    config = json.loads((path / "config.json").read_text())
    others = [Scenario(), SMALL.replace(path_loss="umi")]
    config["mixed_with"] = [scenario.to_dict() for scenario in others]
    (path / "config.json").write_text(json.dumps(config))
    run = Training.read(path)
    assert run.scenarios == [SMALL, *others]
    assert run.scenario == SMALL
    card = ship(run, "mine", folder=tmp_path).with_suffix(".md").read_text()
    small = '"num_agents": 6, "num_antennas": 4'
    assert f'scenario, in turn with {{{small}}} and {{}} and {{{small}, "path_loss": "umi"}}, new ones' in card


def test_shipping_takes_the_run_that_is_best_on_validation(tmp_path: Path, monkeypatch, capsys):
    paths = [finished(tmp_path, "ppo", seed) for seed in (0, 1)]
    for path, score in zip(paths, (-0.7, -0.6), strict=True):
        config = json.loads((path / "config.json").read_text())
        (path / "config.json").write_text(json.dumps(config | {"best": {"score": score}}))
    shipped = tmp_path / "policies"
    shipped.mkdir()
    monkeypatch.setattr("training.play.shipped.POLICIES", shipped)
    assert main(["train", "--ship", "mine", *map(str, paths)]) == 0
    assert capsys.readouterr().out.strip() == str(shipped / "mine.onnx")
    assert (shipped / "mine.onnx").read_bytes() == (paths[1] / "policy.onnx").read_bytes()
    assert "- Seed: 1" in (shipped / "mine.md").read_text()
    assert main(["train", "--ship", "mine", str(tmp_path)]) == 2
    assert "is not the folder of a training" in capsys.readouterr().err
    for arguments in (["--ship", "mine"], ["ppo", "--ship", "mine", str(paths[0])]):
        assert main(["train", *arguments]) == 2
        assert "--ship needs a name and the folders of finished trainings" in capsys.readouterr().err


def test_a_table_and_curves_without_feasible_decisions(tmp_path: Path):
    path = finished(tmp_path, "td3", 0)
    evaluations = path / "evaluations.jsonl"
    rows = [json.loads(line) | {"gap": None, "feasible": 0.0} for line in evaluations.read_text().splitlines()]
    evaluations.write_text("".join(json.dumps(row) + "\n" for row in rows))
    save_curves([Training.read(path)], tmp_path / "curves.png")
    row = judge_random(TestSet(SMALL, 6, 4), 0)
    row["gap"][:] = np.nan
    assert "| 0 % " in markdown([Judgement("random actions", 0, 6, **row)])

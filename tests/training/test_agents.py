"""Trained agents: the exported policy does what the network did, and solves instances as any solver does."""

import copy
import dataclasses
import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import training
from secagent_env import Decision, Instance, Scenario, evaluate, sample_instance
from secagent_env.allocation.actions import action_format
from secagent_env.allocation.observations import observe
from solvers.interface.base import silent_decision
from solvers.interface.ranking import rank_by_violation
from training.play.repair import repair
from training.play.shipped import POLICIES

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")

from training.learn.export import LARGEST_BYTES, export_policy, policy_metadata  # noqa: E402
from training.play.agents import TrainedAgent  # noqa: E402

PAPER, SMALL = Scenario(), Scenario.preset("small")


class Cheapest(torch.nn.Module):
    """Ranks the agents by their execution energy, through a layer shared by all of them; guided, for any N and E."""

    def __init__(self):
        super().__init__()
        self.rank = torch.nn.Linear(2, 1)
        with torch.no_grad():
            self.rank.weight.copy_(torch.tensor([[-1.0, 0.0]]))
            self.rank.bias.zero_()

    def forward(self, task, agents, eavesdroppers):
        count = agents.shape[0]
        scores = torch.tanh(self.rank(torch.stack([agents[..., 1], agents[..., 5:].amax(-1)], -1)))[..., 0]
        # silent jammers, a common level of −16 dB, the zero-forcing beam
        rest = torch.tensor([[-0.4, 0.0, 0.0, 0.8, 0.0]]).expand(count, -1) + 0 * task[:, :1] + 0 * eavesdroppers[:, 0]
        return torch.cat([scores, -torch.ones_like(scores), rest], -1)


class Constant(torch.nn.Module):
    """Always the same action, whatever it sees."""

    def __init__(self, action):
        super().__init__()
        self.action = torch.nn.Parameter(torch.as_tensor(action, dtype=torch.float32))

    def forward(self, observation):
        return self.action + 0 * observation[:, :1]


def parts(scenario: Scenario, batch: int = 2) -> dict:
    """Return examples of the inputs of an equivariant policy."""
    n, eves = scenario.num_agents, scenario.num_eavesdroppers
    shapes = {"task": (batch, 6), "agents": (batch, n, 5 + eves), "eavesdroppers": (batch, eves, 1)}
    return {name: torch.rand(shape) for name, shape in shapes.items()}


def flat_policy(path: Path, action: np.ndarray, **changes) -> Path:
    """Write a policy for ``small`` in the flat formats, of one constant action."""
    size = observe(sample_instance(SMALL), "flat").size
    metadata = policy_metadata(
        "constant", SMALL, observation_format="flat", action_format="flat", any_agents=False
    )  # fmt: skip
    export_policy(path, Constant(action), {"observation": torch.rand(2, size)}, {**metadata, **changes})
    return path


@pytest.fixture(scope="module")
def cheapest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policies") / "cheapest.onnx"
    export_policy(path, Cheapest(), parts(PAPER), policy_metadata("cheapest", PAPER))
    return path


@pytest.fixture(scope="module")
def agent(cheapest: Path) -> TrainedAgent:
    return training.load_agent(cheapest)


@pytest.fixture(scope="module")
def instances() -> Instance:
    return sample_instance(PAPER, seed=5, batch=(40,))


# --- Export --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", [PAPER, PAPER.replace(num_agents=50, num_eavesdroppers=3), SMALL])
def test_the_exported_network_acts_as_the_torch_one_at_any_size(tmp_path: Path, scenario: Scenario):
    from training.networks.equivariant import EquivariantNetwork

    torch.manual_seed(0)
    network = EquivariantNetwork()
    difference = export_policy(tmp_path / "p.onnx", network, parts(PAPER), policy_metadata("ppo", PAPER))
    assert difference < 1e-5
    agent = training.load_agent(tmp_path / "p.onnx")
    observation = observe(sample_instance(scenario, 1, batch=(7,)), "dict")
    with torch.no_grad():
        wanted = network(*(torch.as_tensor(observation[name]) for name in ("task", "agents", "eavesdroppers")))
    found = agent._run({name: observation[name] for name in ("task", "agents", "eavesdroppers")}, (7,))
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-5)


def test_export_leaves_the_module_as_it_was_and_writes_what_the_agent_is(cheapest: Path, tmp_path: Path):
    module = Cheapest().train()
    export_policy(tmp_path / "p.onnx", module, parts(PAPER), policy_metadata("ppo", SMALL))
    assert module.training
    agent = training.load_agent(tmp_path / "p.onnx")
    assert (agent.name, agent.scenario, agent.any_agents) == ("ppo", SMALL, True)
    assert (agent.environment, agent.observation_format, agent.action_format) == (
        "secagent/Allocation-v0", "compact", "guided"
    )  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["p.onnx"]


class FixedSize(torch.nn.Module):
    """Takes the number of agents of its examples for granted."""

    def forward(self, task, agents, eavesdroppers):
        return torch.tanh(agents[..., 1].reshape(-1, int(agents.shape[1]))) + 0 * task[:, :1] + 0 * eavesdroppers[:, 0]


@pytest.mark.parametrize(
    ("module", "metadata", "message"),
    [
        (FixedSize(), {}, "does not run at other sizes"),
        (Constant(torch.full((5,), 1.5)), {"any_agents": "false"}, "must be within -1 and 1"),
        (Constant(torch.rand(LARGEST_BYTES // 4)), {"any_agents": "false"}, r"has 2\.0 MB, at most 2 MB are allowed"),
        (Constant(torch.rand(5)), {"agent": None}, "metadata must name agent"),
    ],
)
def test_what_is_no_policy_is_refused_and_leaves_the_old_file(tmp_path: Path, module, metadata, message):
    path = tmp_path / "p.onnx"
    path.write_text("old")
    told = {**policy_metadata("x", PAPER), **metadata}
    inputs = parts(PAPER) if isinstance(module, FixedSize) else {"observation": torch.rand(2, 9)}
    with pytest.raises(ValueError, match=message):
        export_policy(path, module, inputs, {name: value for name, value in told.items() if value is not None})
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


# --- Loading -------------------------------------------------------------------------------------------------


def test_agents_are_found_by_name_path_and_run_folder(cheapest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = tmp_path / "runs" / "ppo-seed3"
    run.mkdir(parents=True)
    with pytest.raises(ValueError, match=r"holds no policy\.onnx"):
        training.load_agent(run)
    (run / "policy.onnx").write_bytes(cheapest.read_bytes())
    assert training.load_agent(run).digest == training.load_agent(str(run)).digest
    monkeypatch.chdir(tmp_path / "runs")
    assert training.load_agent("ppo-seed3").name == "cheapest"
    monkeypatch.setattr("training.play.shipped.POLICIES", tmp_path)
    (tmp_path / "ppo.onnx").write_bytes(cheapest.read_bytes())
    assert training.names() == ["ppo"]
    assert training.load_agent("ppo").name == "ppo"
    with pytest.raises(ValueError, match=r"unknown trained agent 'pppo'; did you mean 'ppo'\? valid are: ppo"):
        training.load_agent("pppo")
    with pytest.raises(FileNotFoundError):
        training.load_agent("elsewhere/ppo")


def test_shipped_policies_are_small_documented_and_solve():
    for name in training.names():
        path = POLICIES / f"{name}.onnx"
        assert path.stat().st_size <= LARGEST_BYTES
        assert path.with_suffix(".md").read_text(encoding="utf-8").startswith(f"# {name}\n")
        agent = training.load_agent(name)
        assert agent.name == name
        if agent.environment == "secagent/Allocation-v0":
            assert agent.solve(sample_instance(agent.scenario, seed=0)).outcome.feasible


def rewritten(path: Path, out: Path, **changes: str | None) -> Path:
    """Copy a policy with other metadata, and without its digest."""
    model = onnx.load(path)
    metadata = {entry.key: entry.value for entry in model.metadata_props} | {"digest": None} | changes
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {name: value for name, value in metadata.items() if value is not None})
    onnx.save(model, out)
    return out


def without_digest(model: onnx.ModelProto) -> bytes:
    kept = [entry for entry in model.metadata_props if entry.key != "digest"]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "it holds no secagent policy"),
        ({"version": "2"}, "it has format version 2, this secagent reads 1; upgrade"),
        ({"scenario": None, "agent": None}, "its metadata lack agent, scenario"),
        ({"action_format": "spherical"}, "does not know its action_format 'spherical'"),
        ({"scenario": '{"num_agents": 0}'}, "num_agents must be an integer ≥ 1"),
        ({"scenario": "{"}, "cannot load a policy from .*Expecting"),
        ({"observation_format": "flat"}, None),  # it has the parts, too
    ],
)
def test_a_foreign_or_newer_file_gets_one_sentence(cheapest: Path, tmp_path: Path, changes, message):
    path = rewritten(cheapest, tmp_path / "p.onnx", **changes)
    if message is None:
        training.load_agent(path)
        return
    with pytest.raises(ValueError, match=message) as error:
        training.load_agent(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def test_damage_is_told_from_the_digest(cheapest: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "p.onnx"
    whole = cheapest.read_bytes()
    for place in range(50, len(whole), len(whole) // 40):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=f"^cannot load a policy from {path}: it is damaged"):
            training.load_agent(path)
    assert not caplog.records
    entry = whole[whole.index(b"\x0a\x06digest\x12\x40") :][:74]
    path.write_bytes(whole + b"\x72\x4a" + entry)  # a second entry of the metadata
    training.load_agent(path)
    assert [record.message for record in caplog.records] == [f"{path} holds no digest: it is read unverified"]
    caplog.clear()
    unsealed = rewritten(cheapest, tmp_path / "unsealed.onnx")
    for _ in range(2):
        training.load_agent(unsealed)
    assert [record.message for record in caplog.records] == [f"{unsealed} holds no digest: it is read unverified"]


@pytest.mark.parametrize("content", [b"", b"not a model", "half"])
def test_a_broken_file_gets_one_sentence(cheapest: Path, tmp_path: Path, content, capfd: pytest.CaptureFixture):
    path = tmp_path / "p.onnx"
    whole = cheapest.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content == "half" else content)
    with pytest.raises(ValueError, match=r"cannot load a policy from .*: it is broken, or no ONNX model"):
        training.load_agent(path)
    assert capfd.readouterr().err == ""


def test_a_network_that_is_not_what_its_metadata_tell_is_refused(tmp_path: Path):
    path = flat_policy(tmp_path / "p.onnx", np.zeros(20))
    rewritten(path, path, scenario=json.dumps(PAPER.to_dict()))
    with pytest.raises(ValueError, match="are not those that its metadata describe"):
        training.load_agent(path)


def test_a_network_that_returns_something_else_gets_one_sentence(tmp_path: Path):
    path = flat_policy(tmp_path / "p.onnx", np.zeros(20))
    model = onnx.load(path)
    for node in (
        onnx.helper.make_node("ReduceSum", ["observation"], ["action"], keepdims=0),
        onnx.helper.make_node("SequenceConstruct", ["observation"], ["action"]),
        onnx.helper.make_node("Constant", [], ["action"], value_floats=[0.0] * 20),
        onnx.helper.make_node("Constant", [], ["action"], value=onnx.numpy_helper.from_array(np.zeros((7, 20)))),
    ):
        output = onnx.helper.make_empty_tensor_value_info("action")
        if node.op_type == "SequenceConstruct":
            output = onnx.helper.make_tensor_sequence_value_info("action", onnx.TensorProto.FLOAT, None)
        del model.graph.node[:], model.graph.initializer[:], model.graph.output[:]
        model.graph.node.append(node)
        model.graph.output.append(output)
        path.write_bytes(without_digest(model))
        agent = training.load_agent(path)
        with pytest.raises(ValueError, match="the policy constant returns no action for each observation"):
            agent.solve_batch(sample_instance(SMALL, batch=(3,)))
        with pytest.raises(ValueError, match="returns no action"):
            agent.solve(sample_instance(SMALL))


@pytest.mark.parametrize("place", ["weights.bin", "../weights.bin", "{folder}/weights.bin"])
def test_a_policy_takes_its_weights_from_no_other_file(tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    model = onnx.load(flat_policy(Path("p.onnx"), np.zeros(20)))
    tensor = onnx.TensorProto(
        name="outside", data_type=onnx.TensorProto.FLOAT, dims=[1, 20], data_location=onnx.TensorProto.EXTERNAL
    )
    tensor.external_data.add(key="location", value=place.format(folder=Path.cwd()))
    for folder in (Path(), Path("..")):
        (folder / "weights.bin").write_bytes(np.zeros(20, np.float32).tobytes())
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.append(onnx.helper.make_node("Identity", ["outside"], ["action"]))
    model.graph.initializer.append(tensor)
    Path("p.onnx").write_bytes(without_digest(model))
    with pytest.raises(ValueError, match=r"cannot load a policy from p.onnx"):
        training.load_agent("./p.onnx")


@pytest.mark.parametrize(
    ("options", "message"),
    [({"repair": 1}, "repair must be True or False"), ({"refine": -1}, "refine must be an integer ≥ 0")],
)
def test_options_out_of_range(cheapest: Path, options, message):
    with pytest.raises(ValueError, match=message):
        training.load_agent(cheapest, **options)


# --- Deciding ------------------------------------------------------------------------------------------------


def test_an_agent_decides_as_it_would_act_in_the_environment(agent: TrainedAgent, cheapest: Path):
    env = gymnasium.make(
        "secagent_env:secagent/Allocation-v0", observation_format="compact", action_format="guided"
    )  # fmt: skip
    plain = training.load_agent(cheapest, repair=False)
    agent.reset(seed=1)
    for seed in range(3):
        observation, _ = env.reset(seed=seed)
        action = agent.act(observation)
        assert env.action_space.contains(action)
        solution = plain.solve(env.unwrapped.instance)
        _, _, _, _, info = env.step(action)
        assert float(solution.outcome.energy_j) == info["energy_j"]
        assert solution.solver == "cheapest"
        assert solution.evaluations == 1


def test_it_selects_the_cheapest(agent: TrainedAgent, cheapest: Path, instances: Instance):
    decision = training.load_agent(cheapest, repair=False).solve_batch(instances)
    energy = instances.execution_energy_j
    limit = np.sort(energy, axis=-1)[:, PAPER.required_agents - 1, None]
    np.testing.assert_array_equal(decision.selection, energy <= limit)


def test_a_batch_is_decided_as_its_instances_are(agent: TrainedAgent, instances: Instance):
    decision = agent.solve_batch(instances)
    assert decision.batch_shape == (40,)
    repaired = 0
    for i in range(40):
        solution = agent.solve(instances[i])
        repaired += solution.message.startswith("repaired")
        for name in ("selection", "beamformer", "power_w"):
            # the network's sums may differ in their last bit with the batch
            np.testing.assert_allclose(getattr(decision[i], name), getattr(solution.decision, name), rtol=1e-4)
    assert repaired > 0
    square = agent.solve_batch(sample_instance(PAPER, 5, batch=(2, 3)))
    assert square.batch_shape == (2, 3)
    np.testing.assert_array_equal(agent.solve_batch(instances[0]).selection, decision.selection[0])


def test_actions_have_the_leading_dimensions_of_the_observations(agent: TrainedAgent):
    for scenario in (PAPER, PAPER.replace(num_agents=50), PAPER.replace(num_agents=7)):
        observation = observe(sample_instance(scenario, 0, batch=(2, 3)), "compact")
        action = agent.act(observation)
        assert action.shape == (2, 3, 2 * scenario.num_agents + 5)
        assert action.dtype == np.float32
        np.testing.assert_allclose(agent.act(observation[0, 1]), action[0, 1], rtol=1e-5)
    with pytest.raises(ValueError, match="187 numbers, this one has 186, which is no number of agents"):
        agent.act(np.zeros(186, np.float32))
    with pytest.raises(ValueError, match="takes observations in the compact format"):
        agent.act({"task": np.zeros(6)})


def test_any_number_of_agents_and_antennas(agent: TrainedAgent):
    for scenario in (SMALL, PAPER.replace(num_agents=50), PAPER.replace(num_agents=100, num_antennas=8)):
        solution = agent.solve(sample_instance(scenario, seed=2))
        assert solution.outcome.feasible
        assert solution.decision.selection.sum() == scenario.required_agents


def test_a_policy_of_one_size_names_both(tmp_path: Path):
    agent = training.load_agent(flat_policy(tmp_path / "p.onnx", np.zeros(20)))
    with pytest.raises(
        ValueError, match=r"trained for 6 agents, 4 antennas and 1 eavesdropper .* has 30 agents, 20 ant"
    ):
        agent.solve(sample_instance(PAPER, seed=0))
    with pytest.raises(ValueError, match="the instance has 7 agents"):
        agent.solve_batch(sample_instance(SMALL.replace(num_agents=7), 0, batch=(2,)))
    with pytest.raises(ValueError, match="which is another number of agents"):
        agent.act(np.zeros(100))


def test_an_agent_of_lifetime_acts_with_batteries_and_solves_nothing(tmp_path: Path):
    class Fullest(Cheapest):
        def forward(self, task, agents, eavesdroppers, batteries):
            action = super().forward(task, agents, eavesdroppers)
            return torch.cat([torch.tanh(batteries[..., 1]), action[:, agents.shape[1] :]], -1)

    inputs = {**parts(PAPER), "batteries": torch.rand(2, 30, 2)}
    metadata = policy_metadata("life", PAPER, environment="secagent/Lifetime-v0")
    export_policy(tmp_path / "p.onnx", Fullest(), inputs, metadata)
    agent = training.load_agent(tmp_path / "p.onnx")
    env = gymnasium.make(
        "secagent_env:secagent/Lifetime-v0", observation_format="compact", action_format="guided"
    )  # fmt: skip
    observation, _ = env.reset(seed=0)
    action = agent.act(observation)
    fullest = np.argsort(-env.unwrapped.battery_j)[:10]
    assert set(np.flatnonzero(env.unwrapped.decode(action).selection)) == set(fullest)
    with pytest.raises(ValueError, match="plays secagent/Lifetime-v0: it acts there, and solves no instances"):
        agent.solve(sample_instance(PAPER))


def test_copies_decide_the_same(agent: TrainedAgent, instances: Instance):
    wanted = agent.solve(instances[0]).outcome.energy_j
    for other in (pickle.loads(pickle.dumps(agent)), copy.deepcopy(agent)):
        assert (other.name, other.digest) == (agent.name, agent.digest)
        assert other.solve(instances[0]).outcome.energy_j == wanted


def test_neither_loading_nor_solving_imports_torch_or_onnx(cheapest: Path):
    code = (
        "import sys, training; from secagent_env import sample_instance\n"
        f"training.load_agent({str(cheapest)!r}).solve(sample_instance('paper'))\n"
        "print(sorted({'torch', 'onnx', 'stable_baselines3'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# --- Repair and refinement -----------------------------------------------------------------------------------


def test_onnxruntime_tells_nobody_of_its_use(cheapest: Path, tmp_path: Path):
    home = tmp_path / "home"
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    code = f"import training; training.load_agent({str(cheapest)!r})"
    subprocess.run([sys.executable, "-c", code], check=True, env={**environment, "HOME": str(home)})
    assert not home.exists()


def test_a_user_who_wants_onnxruntime_to_tell_is_heard(cheapest: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    pickle.loads(pickle.dumps(TrainedAgent(cheapest)))
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "0"


def test_one_place_imports_onnxruntime():
    places = [
        path.name
        for package in ("secagent_env", "solvers", "training", "eval")
        for path in (Path(training.__file__).parents[1] / package).rglob("*.py")
        if re.search(r"import onnxruntime|from onnxruntime|(require|import_module)\(.onnxruntime", path.read_text())
    ]
    assert places == ["session.py"]


def test_a_repair_is_told_and_can_be_switched_off(agent: TrainedAgent, cheapest: Path, instances: Instance):
    plain = training.load_agent(cheapest, repair=False)
    for i in range(40):
        raw, solution = plain.solve(instances[i]), agent.solve(instances[i])
        steps = [record["sub_problem"] for record in solution.history]
        assert all(record["iteration"] == 1 for record in solution.history)
        assert solution.outcome.feasible
        if raw.outcome.feasible:
            assert (steps, solution.message) == (["forward pass"], "one forward pass")
            assert solution.outcome.energy_j == raw.outcome.energy_j
        else:
            assert (raw.status, raw.message) == ("failed", "one forward pass, which violates accuracy")
            assert (steps, solution.message) == (["forward pass", "repair"], "repaired: accuracy")
            assert solution.history[0]["violated"] == ["accuracy"]
            assert solution.evaluations > 1


def six_agents(**arrays) -> Instance:
    """Return an instance of ``small`` whose agents compute alike, but for what is given."""
    instance = sample_instance(SMALL, seed=1)
    alike = {"inference_time_s": np.full(6, 100.0), "compute_power_w": np.full(6, 10.0), "accuracy": np.full(6, 0.8)}
    return dataclasses.replace(instance, **{**alike, **arrays})


def decided(instance: Instance, selected: list[int]) -> Decision:
    """Return a decision with a good beam and good powers."""
    selection = np.isin(np.arange(6), selected)
    levels = np.array([*np.where(selection, 1.0, -1.0), *np.zeros(6), -0.4, 0, 0, 1, 0])
    return action_format("guided", SMALL).decode(levels, instance)


def test_repair_exchanges_no_more_agents_than_the_accuracy_needs():
    instance = six_agents(accuracy=np.array([0.9, 0.9, 0.5, 0.5, 0.5, 0.5]))
    decision = decided(instance, [2, 3])
    assert [name for name, beyond in evaluate(instance, decision).violated.items() if beyond] == ["accuracy"]
    mended = repair(instance, decision)
    assert evaluate(instance, mended).feasible
    selected = set(np.flatnonzero(mended.selection))
    assert len(selected & {0, 1}) == len(selected & {2, 3}) == 1


def test_repair_does_not_improve_what_is_merely_dear():
    power = np.array([1.0, 1.0, 1.0, 1.0, 10.0, 10.0])
    instance = six_agents(compute_power_w=power)
    mended = repair(instance, decided(instance, [4, 5]).replace(power_w=np.zeros(6)))
    assert evaluate(instance, mended).feasible
    assert list(np.flatnonzero(mended.selection)) == [4, 5]


@pytest.mark.parametrize("fault", ["nobody", "late", "silent", "unheard", "loud"])
def test_repair_mends(fault: str):
    late = np.where(np.arange(6) == 0, 5000.0, 100.0)
    instance = six_agents(**({"inference_time_s": late} if fault == "late" else {}))
    decision = decided(instance, [0, 1])
    channel = instance.channel_bs[0]
    away = np.eye(4)[0] - channel * (channel[0].conj() / np.linalg.norm(channel) ** 2)  # agent 0 hears nothing of it
    broken = {
        "nobody": silent_decision(instance),
        "late": decision,
        "silent": decision.replace(power_w=np.zeros(6)),
        "unheard": decision.replace(beamformer=away),
        "loud": decision.replace(power_w=np.full(6, 1e3)),
    }[fault]
    assert not evaluate(instance, broken).feasible
    assert evaluate(instance, repair(instance, broken)).feasible


@pytest.mark.parametrize("preset", ["small", "contested", "tight-latency"])
def test_repair_never_makes_it_worse(preset: str):
    scenario = Scenario.preset(preset)
    rng = np.random.default_rng(0)
    form = action_format("guided", scenario)
    for seed in range(4):
        instance = sample_instance(scenario, seed)
        decision = form.decode(rng.uniform(-1, 1, form.space.shape), instance)
        mended = repair(instance, decision)
        ranks = [rank_by_violation(instance, evaluate(instance, d)) for d in (mended, decision)]
        assert ranks[0] <= ranks[1]


def test_an_infeasible_instance_is_told_as_by_any_solver(agent: TrainedAgent):
    solution = agent.solve(dataclasses.replace(sample_instance(PAPER), accuracy=np.full(30, 0.1)))
    assert solution.status == "infeasible"
    assert "accuracy" in solution.message


def test_refinement_finds_the_cheaper_agents(tmp_path: Path):
    """From a policy that always selects the agents 0 and 1."""
    action = np.array([1, 1, -1, -1, -1, -1, *np.zeros(4), 0.5, *np.zeros(3), *np.full(6, -0.9)])
    path = flat_policy(tmp_path / "p.onnx", action)
    solutions = [training.load_agent(path, refine=steps).solve(sample_instance(SMALL, 3)) for steps in (0, 1, 6)]
    energies = [float(solution.outcome.energy_j) for solution in solutions]
    assert energies[0] > energies[1] > energies[2]
    assert solutions[2].status == "optimal"
    assert [record["sub_problem"] for record in solutions[2].history][-1] == "refinement"
    assert solutions[2].message.endswith(", refined")
    batch = training.load_agent(path, refine=6).solve_batch(sample_instance(SMALL, 3, batch=(1,)))
    np.testing.assert_array_equal(batch.selection[0], solutions[2].decision.selection)

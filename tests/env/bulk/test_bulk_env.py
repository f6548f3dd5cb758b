"""``rng="bulk"`` of ``secagent/Allocation-v0``: everything the environment does, on networks by counter."""

import copy
import pickle
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from scipy import stats
from vector_conformance import assert_same, check_vector_env

pytest.importorskip("numba")

from secagent_env import Scenario, evaluate, sample_instance
from secagent_env.allocation.env import AllocationEnv
from secagent_env.allocation.observations import observation_shapes, observe
from secagent_env.allocation.reward import reward
from secagent_env.allocation.vector import AllocationVectorEnv
from secagent_env.gym_bases.mixed_vector import MixedVectorEnv

CONTESTED = {"num_agents": 7, "num_antennas": 3, "num_eavesdroppers": 2, "eve_area_m": (20, 100)}
BULK = {"scenario": "small", "rng": "bulk"}


def make(size=3, **arguments):
    return AllocationVectorEnv(size, **{**BULK, **arguments})


def actions_for(envs, seed=0):
    envs.action_space.seed(seed)
    return envs.action_space.sample()


@pytest.mark.parametrize(
    "arguments",
    [
        {"scenario": "paper"},
        {"action_format": "dict", "observation_format": "dict", "artificial_noise": True},
        {"scenario": CONTESTED, "action_format": "guided", "observation_format": "compact"},
        {"scenario": {**CONTESTED, "colluding": True}, "action_format": "guided", "observation_format": "dict"},
        {"scenario": CONTESTED, "action_format": "selection", "observation_format": "pairwise"},
        {"episodes_per_instance": 3, "penalty_weight": 2.0, "reference_energy_j": 1e3},
        {"scenario": {"num_agents": 1, "num_antennas": 1}, "threads": 2},
    ],
    ids=["paper", "dict", "guided", "colluding", "selection", "kept", "one"],
)
def test_it_conforms(arguments):
    """Seeds, masks, infos, and what belongs to whom: the vector environment is the scalar one, bit for bit."""
    scalar = {name: value for name, value in arguments.items() if name != "threads"}
    check_vector_env(
        lambda size: AllocationVectorEnv(size, **{**BULK, **arguments}), lambda: AllocationEnv(**{**BULK, **scalar})
    )


def test_gymnasium_checks_the_scalar_environment():
    check_env(AllocationEnv(**BULK, action_format="guided"), skip_render_check=True)


def test_make_and_make_vec_take_it():
    ids = "secagent_env:secagent/Allocation-v0"
    envs = gymnasium.make_vec(ids, num_envs=4, vectorization_mode="vector_entry_point", **BULK)
    env = gymnasium.make(ids, **BULK)
    assert np.array_equal(envs.reset(seed=3)[0][2], env.reset(seed=5)[0])


def test_environment_i_of_a_seed_is_environment_0_of_the_i_th_seed_after_it():
    envs = make(3)
    for i in range(3):
        first, _ = envs.reset(seed=40)
        alone = make(1)
        assert np.array_equal(first[i], alone.reset(seed=40 + i)[0][0])
        for _ in range(3):
            actions = actions_for(envs)
            assert np.array_equal(envs.step(actions)[0][i], alone.step(actions[i : i + 1])[0][0])


def test_the_episodes_of_a_seed_are_all_different():
    envs = make(50)
    seen = np.concatenate([envs.reset(seed=0)[0], *(envs.step(actions_for(envs))[0] for _ in range(20))])
    assert len(np.unique(seen, axis=0)) == len(seen)


def test_other_draws_are_none_of_the_default():
    assert not np.array_equal(make().reset(seed=0)[0], AllocationVectorEnv(3, "small").reset(seed=0)[0])
    with pytest.raises(ValueError, match="rng must be one of streams, bulk, got 'bluk'"):
        make(rng="bluk")


# --- What is seen, and what it is worth ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["flat", "dict", "compact"])
@pytest.mark.parametrize("fields", [CONTESTED, {**CONTESTED, "num_antennas": 150}, {}])
def test_observations_are_those_of_the_array_operations(name, fields):
    envs = make(5, scenario=fields, observation_format=name)
    got, _ = envs.reset(seed=0)
    wanted = observe(envs.instance, name)
    for part in wanted if name == "dict" else [...]:
        if name == "dict":
            assert got[part].shape == wanted[part].shape
        np.testing.assert_allclose(got[part] if name == "dict" else got, wanted[part], rtol=0, atol=2e-6)


def test_observations_of_the_unusual_are_too():
    """Gains of zero, gains and times beyond all bounds, a single instance, another scenario than the environment's."""
    given = sample_instance(Scenario.preset("small", latency_limit_s=1.0, colluding=True), 1)
    given = given.replace(
        channel_bs=given.channel_bs * np.array([0, 1e30, 1, 1, 1, 1])[:, None],
        channel_eve=0 * given.channel_eve,
        gain_agents=given.gain_agents * 1e-30,
        gain_eve=given.gain_eve * 1e40,
        compute_power_w=given.compute_power_w * 1e3,
    )
    for env, row in ((AllocationEnv(**BULK), ...), (make(3), 2)):
        got = env.reset(options={"instance": given})[0][row]
        np.testing.assert_allclose(got, observe(given, "flat"), rtol=0, atol=2e-6)
    assert np.abs(got).max() == 10


@pytest.mark.parametrize("action_format", ["flat", "guided", "dict"])
def test_rewards_are_those_of_the_instances(action_format):
    """To rounding, under the physics and the reward that every environment has."""
    envs = make(40, scenario=CONTESTED, action_format=action_format)
    default = AllocationVectorEnv(40, CONTESTED, action_format=action_format)
    envs.reset(seed=0)
    for step in range(3):
        truth, actions = envs.truth, actions_for(envs, step)
        default.reset(options={"instance": truth})
        (_, got, *_, infos), (_, wanted, *_, default_infos) = envs.step(actions), default.step(actions)
        np.testing.assert_allclose(got, wanted, rtol=1e-9)
        final, other = infos["final_info"], default_infos["final_info"]
        np.testing.assert_array_equal(final["feasible"], other["feasible"])
        np.testing.assert_allclose(final["energy_j"], other["energy_j"], rtol=1e-9)
        outcome = evaluate(truth, default._rules.actions.decode(actions, truth))
        arguments = {"reference_j": envs.reference_energy_j, "fixed": 1.5, "weights": envs._rules.penalty_weights}
        decision = default._rules.actions.decode(actions, truth)
        np.testing.assert_allclose(got, reward(truth, decision, outcome, **arguments)[0], rtol=1e-9)


def test_what_is_seen_has_the_moments_of_the_default():
    """Means and standard deviations of every entry of the observation, and means of the rewards."""
    size = 4000
    envs = {rng: AllocationVectorEnv(size, CONTESTED, action_format="guided", rng=rng) for rng in ("streams", "bulk")}
    seen = {rng: env.reset(seed=5)[0].astype(float) for rng, env in envs.items()}
    rewards = {rng: env.step(actions_for(env))[1] for rng, env in envs.items()}
    mean = {rng: values.mean(0) for rng, values in seen.items()}
    deviation = {rng: values.std(0) for rng, values in seen.items()}
    error = np.sqrt(deviation["streams"] ** 2 + deviation["bulk"] ** 2) / np.sqrt(size)
    assert np.all(np.abs(mean["bulk"] - mean["streams"]) <= 4.5 * error)
    varied = deviation["streams"] > 0
    assert np.array_equal(varied, deviation["bulk"] > 0)
    np.testing.assert_allclose(deviation["bulk"][varied], deviation["streams"][varied], rtol=0.2)
    assert np.median(np.abs(deviation["bulk"][varied] / deviation["streams"][varied] - 1)) < 0.02
    agents = slice(6, 6 + 7 * 7)
    for entry in range(7):  # of each kind, all agents together
        columns = [values[:, agents].reshape(size * 7, 7)[:, entry] for values in seen.values()]
        assert stats.ks_2samp(*columns).pvalue > 1e-3, entry
    assert stats.ks_2samp(*rewards.values()).pvalue > 1e-3


# --- State --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_goes_on_as_the_original(copied):
    for env in (make(3, threads=2, action_format="guided"), AllocationEnv(**BULK, action_format="guided")):
        env.reset(seed=1)
        env.step(actions_for(env))
        env.reset()
        twin = copied(env)
        assert_same(twin.step(actions_for(env)), env.step(actions_for(env)), "a step")
        assert_same(twin.reset(), env.reset(), "the next reset")


def test_threads_change_nothing_but_the_time():
    one, two = (make(300, threads=threads) for threads in (1, 3))
    assert_same(two.reset(seed=5), one.reset(seed=5), "reset")
    for step in range(2):
        assert_same(two.step(actions_for(one, step)), one.step(actions_for(one, step)), f"step {step}")
    mask = np.random.default_rng(0).random(300) < 0.9
    masked = [envs.reset(options={"reset_mask": mask.copy()}) for envs in (two, one)]
    assert_same(*masked, "masked reset")
    two.close()


def test_generators_are_there_for_others_and_no_draw_takes_from_them():
    envs = make()
    envs.reset(seed=7)
    states = [generator.bit_generator.state for generator in envs.np_random]
    envs.step(actions_for(envs))
    assert [generator.bit_generator.state for generator in envs.np_random] == states
    assert envs.np_random_seed == (7, 8, 9)
    env = AllocationEnv(**BULK)
    env.np_random = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"rng='bulk' draws by the seed.*call reset\(seed=…\)"):
        env.reset()


def test_given_instances_are_played_and_take_no_turn():
    envs, twin = make(), make()
    batch = sample_instance("small", seed=9, batch=3)
    envs.reset(seed=0, options={"instance": batch})
    np.testing.assert_array_equal(envs.instance.channel_bs, batch.channel_bs)
    following = envs.step(actions_for(envs))[0]
    assert np.array_equal(following, twin.reset(seed=0)[0])


def test_the_instance_is_a_copy():
    envs = make()
    envs.reset(seed=0)
    mine, rewards = envs.instance, envs.step(actions_for(envs))[1]
    envs.reset(seed=0)
    envs.instance.channel_bs[...] = 0
    np.testing.assert_array_equal(envs.truth.channel_bs, mine.channel_bs)
    assert np.array_equal(envs.step(actions_for(envs))[1], rewards)


def test_torch_computes_the_same():
    pytest.importorskip("torch")
    envs, on_torch = make(20, action_format="guided"), make(20, action_format="guided", device="cpu")
    assert_same(on_torch.reset(seed=0), envs.reset(seed=0), "reset")
    for step in range(2):
        got, wanted = (vector.step(actions_for(envs, step)) for vector in (on_torch, envs))
        assert_same(got[0], wanted[0], "observations")
        np.testing.assert_allclose(got[1], wanted[1], rtol=1e-9)


def test_scenarios_can_be_mixed():
    easy, hard = ({"preset": "small", "latency_limit_s": limit} for limit in (3000.0, 100.0))
    mixed = MixedVectorEnv([make(2, scenario=easy), make(2, scenario=hard)])
    seen, _ = mixed.reset(seed=3)
    for i, scenario in enumerate((easy, hard, easy, hard)):
        assert np.array_equal(seen[i], make(1, scenario=scenario).reset(seed=3 + i)[0][0])
    mixed.step(actions_for(mixed))


def test_pictures_are_drawn():
    envs = make(2, render_mode="ansi")
    envs.reset(seed=0)
    assert len(envs.render()) == 2


# --- What it does not cover, and what it needs --------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"csi_error": 0.1}, "rng='bulk' has no csi_error: leave one of them out"),
        (
            {"scenario": None, "instances": sample_instance("small", 0, 3)},
            "rng='bulk' has no instances: leave one of them out",
        ),
        ({"scenario": "indoor"}, "rng='bulk' draws channels with path_loss='paper' alone, got 'inh': leave rng out"),
        (
            {"scenario": "line-of-sight"},
            "rng='bulk' draws channels with fading='rayleigh' alone, got 'rician': leave rng out",
        ),
    ],
)
def test_what_it_does_not_cover_is_one_sentence(arguments, message):
    for environment in (AllocationEnv, AllocationVectorEnv):
        with pytest.raises(ValueError, match=f"^{message}$"):
            environment(**{**BULK, **arguments})


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_numba_is_imported_only_where_it_is_asked_for():
    program = """
import sys
from secagent_env.allocation.vector import AllocationVectorEnv
AllocationVectorEnv(2, "small").reset(seed=0)
print("numba" in sys.modules)
AllocationVectorEnv(2, "small", rng="bulk").reset(seed=0)
print("numba" in sys.modules)
"""
    assert run(program).split() == ["False", "True"]


def test_without_numba_a_sentence_names_the_extra():
    program = """
import sys
sys.modules["numba"] = None
from secagent_env.allocation.vector import AllocationVectorEnv
try:
    AllocationVectorEnv(2, "small", rng="bulk")
except ImportError as error:
    print(error)
AllocationVectorEnv(2, "small").reset(seed=0)
"""
    assert "install it with: pip install 'secagent-env[fast]'" in run(program)


def test_without_a_place_for_machine_code_it_is_compiled_anew():
    """A package that cannot be written to, and no home: nothing is kept, and nothing fails."""
    program = """
import numba
from numba.core import caching
caching.CacheImpl._locator_classes = []
from secagent_env.bulk.compiling import compiled

@compiled
def twice(x):
    return 2 * x

print(twice(21))
"""
    assert run(program) == "42"


def test_every_part_is_where_the_default_has_it():
    shapes = observation_shapes(Scenario.preset("small"))
    seen, flat = (make(2, observation_format=name).reset(seed=0)[0] for name in ("dict", "flat"))
    assert set(seen) == set(shapes)
    np.testing.assert_array_equal(np.concatenate([seen[part].reshape(2, -1) for part in shapes], -1), flat)

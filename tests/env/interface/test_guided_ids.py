"""The ids that learn, infos that can be logged, and pictures that say what was lacking and what was earned."""

import math

import gymnasium
import numpy as np
import pytest

import secagent_env
import solvers
from secagent_env import rendering
from secagent_env.rendering.view import View
from secagent_env.support.units import quantity


@pytest.mark.parametrize(
    ("task", "options"),
    [
        ("Allocation", {"action_format": "ranked", "observation_format": "ranked", "penalty_fixed": 0.3}),
        ("Lifetime", {"action_format": "guided", "observation_format": "compact"}),
    ],
)
def test_a_guided_id_is_the_other_one_with_its_arguments(task: str, options: dict):
    envs = [
        gymnasium.make(f"secagent/{task}Guided-v0", scenario="small"),
        gymnasium.make(f"secagent/{task}-v0", scenario="small", **options),
    ]
    seen = [env.reset(seed=3)[0] for env in envs]
    np.testing.assert_array_equal(*seen)
    envs[0].action_space.seed(0)
    action = envs[0].action_space.sample()
    one, two = (env.step(action) for env in envs)
    assert one[1] == two[1]
    vector = gymnasium.make_vec(f"secagent/{task}Guided-v0", num_envs=2, scenario="small")
    assert vector.single_action_space == envs[0].action_space
    np.testing.assert_array_equal(vector.reset(seed=3)[0][0], seen[0])
    assert gymnasium.make(f"secagent/{task}Guided-v0", observation_format="dict").observation_space.keys()


def test_infos_have_finite_figures_by_names_of_their_own():
    """Energy and latency as the reward counts them: equal to the others where nothing is cut off at τ."""
    env = gymnasium.make("secagent/Allocation-v0", scenario="small")
    env.action_space.seed(0)
    infinite = 0
    for seed in range(12):
        env.reset(seed=seed)
        planned = env.unwrapped.encode(solvers.make("exact").solve(env.unwrapped.instance).decision)
        _, reward, _, _, info = env.step(planned if seed % 2 else env.action_space.sample())
        assert info["is_success"] is info["feasible"]
        assert info["counted_energy_j"] == pytest.approx(-(reward + info["penalty"]) * env.unwrapped.reference_energy_j)
        assert math.isfinite(info["counted_energy_j"])
        assert math.isfinite(info["counted_latency_s"])
        infinite += math.isinf(info["latency_s"])
        if info["feasible"]:
            assert info["counted_energy_j"] == pytest.approx(info["energy_j"], rel=1e-12)
            assert info["counted_latency_s"] == info["latency_s"]
        elif math.isinf(info["latency_s"]):
            outcome, limit = secagent_env.evaluate(env.unwrapped.truth, env.unwrapped._decision), 3000.0
            times = (min(t, limit) for t in (outcome.downlink_time_s, outcome.uplink_time_s))
            assert info["counted_latency_s"] == pytest.approx(sum(times) + outcome.inference_time_s)
    assert infinite > 2


def test_lifetimes_have_a_finite_latency_too():
    env = gymnasium.make("secagent/Lifetime-v0", scenario="small")
    env.reset(seed=0)
    info = env.step(np.ones(env.action_space.shape, np.float32))[4]  # all shout
    assert math.isinf(info["latency_s"])
    assert 3000 < info["counted_latency_s"] < 1e5


def drained(mode: str) -> tuple[gymnasium.Env, dict]:
    """Return an environment whose last task was not served, as the agents' batteries are flat, and the last info."""
    env = gymnasium.make("secagent/Lifetime-v0", scenario="small", render_mode=mode, battery_j=(1e3, 1.5e4))
    env.reset(seed=1)
    for _ in range(20):
        task = env.unwrapped._episode.task[0]
        _, reward, _, _, info = env.step(env.unwrapped.encode(solvers.make("exact").solve(task).decision))
        if not reward:
            return env, info
    raise AssertionError("the batteries lasted")


def test_the_picture_of_a_lifetime_says_what_a_battery_lacks():
    env, info = drained("ansi")
    text = env.render()
    lack = info["violations"]["battery_j"]
    assert text.startswith(f"not served: a battery lacks {quantity(lack, 'J')}\n")
    assert " · reward 0\n" in text
    assert "latency       " in text
    [line] = (line for line in text.splitlines() if line.startswith("  latency "))
    assert line.endswith("ok")
    assert drained("rgb_array")[0].render().shape == (840, 1100, 3)


def test_pictures_tell_the_reward():
    env = gymnasium.make("secagent/Allocation-v0", scenario="small", render_mode="ansi")
    env.reset(seed=0)
    assert "reward" not in env.render()
    reward = env.step(np.zeros(env.action_space.shape, np.float32))[1]
    assert f" · reward {reward:.4g}".replace("reward -", "reward −") in env.render()
    env.reset()
    assert "reward" not in env.render()
    vector = gymnasium.make_vec("secagent/Allocation-v0", num_envs=2, scenario="small", render_mode="ansi")
    vector.reset(seed=0)
    rewards = vector.step(np.zeros(vector.action_space.shape, np.float32))[1]
    for text, earned in zip(vector.render(), rewards, strict=True):
        assert f"reward −{-earned:.4g}" in text


def test_a_headline_names_all_that_was_missed():
    instance = secagent_env.sample_instance("small", 0)
    decision = solvers.make("exact").solve(instance).decision
    assert View.of(instance, decision, None, 1.0).headline.startswith("feasible")
    view = View.of(instance, decision.replace(selection=np.zeros(6, bool)), None, 0.0, "a battery lacks 2 J")
    assert view.headline.startswith("not served: selected")
    assert view.headline.endswith(", a battery lacks 2 J")
    assert not View.of(instance, decision, None, 0.0, "a battery lacks 2 J").feasible


def test_every_agent_of_thirty_has_its_number_under_the_powers():
    from matplotlib.text import Text

    instance = secagent_env.sample_instance("contested", 3)
    decision = solvers.make("best-first").solve(instance).decision
    decision = decision.replace(power_w=np.where(decision.selection, decision.power_w, 1e-9))
    drawn = rendering.figure(instance, decision)
    written = [text.get_text() for axes in drawn.axes[2:] for text in axes.findobj(Text)]
    assert {str(n) for n in range(30)} <= set(written)

"""The first episode of every id: whoever changes these numbers changes the version of the id.

The rule is in docs/environment.md, Versions of the ids.
"""

import gymnasium
import numpy as np
import pytest

import secagent_env  # noqa: F401  (registers the ids)

FIRST = {
    "secagent/Allocation-v0": ((2327,), (100,), [59082.3727, 59082.3727], [-6.57610035]),
    "secagent/AllocationGuided-v0": ((187,), (65,), [1652.52569, 1652.52569], [-1.72256456]),
    "secagent/Lifetime-v0": ((2387,), (100,), [61041.6962, 63405.1392], [0, 0, 0]),
    "secagent/LifetimeGuided-v0": ((247,), (65,), [2296.02599, 2425.63496], [0, 0, 0]),
    "secagent/PowerControl-v0": ((29,), (4,), [83.134819, 86.8426873], [-0.22601014, -0.22601014, -0.22601014]),
}
"""By id: the shapes of observations and actions, weighted sums of the first and the last observation, three rewards."""


def test_every_id_has_its_first_episode_here():
    assert {name for name in gymnasium.registry if name.startswith("secagent/")} == set(FIRST)


@pytest.mark.parametrize("name", FIRST)
def test_the_first_episode_is_as_it_was(name):
    env = gymnasium.make(name)
    seen, rewards = [env.reset(seed=7)[0]], []
    action = np.sin(np.arange(env.action_space.shape[0])) / 2
    action = np.abs(action) if name == "secagent/PowerControl-v0" else action
    for _ in range(3):
        observation, reward, terminated, truncated, _ = env.step(action.astype(env.action_space.dtype))
        seen.append(observation)
        rewards.append(reward)
        if terminated or truncated:
            break
    observed, acted, sums, expected = FIRST[name]
    assert env.observation_space.shape == observed
    assert env.action_space.shape == acted
    weights = np.sqrt(np.arange(1, observed[0] + 1))  # an order of its own for every entry
    assert [float(each @ weights) for each in (seen[0], seen[-1])] == pytest.approx(sums, rel=1e-6)
    assert rewards == pytest.approx(expected, rel=1e-6)

"""Vector environments whose sub-environments have several scenarios in turn."""

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from vector_conformance import assert_same, check_vector_env

from secagent_env import Scenario
from secagent_env.allocation.env import AllocationEnv
from secagent_env.allocation.vector import AllocationVectorEnv
from secagent_env.gym_bases.mixed_vector import MixedVectorEnv, shares
from secagent_env.lifetime.env import LifetimeEnv
from secagent_env.lifetime.vector import LifetimeVectorEnv

SMALL = {"num_agents": 4, "num_antennas": 3, "min_accuracy": 0.5}
FORMATS = {"action_format": "guided", "observation_format": "compact"}
SCENARIOS = [Scenario(**SMALL, **more) for more in ({}, {"path_loss": "umi"}, {"latency_limit_s": 900.0})]


KINDS = pytest.mark.parametrize(
    ("vector", "scalar", "options"),
    [(AllocationVectorEnv, AllocationEnv, {}), (LifetimeVectorEnv, LifetimeEnv, {"max_failures": 2})],
    ids=["allocation", "lifetime"],
)


def mixed(size, scenarios=SCENARIOS, of=AllocationVectorEnv, **options):
    parts = zip(scenarios, shares(size, len(scenarios)), strict=True)
    return MixedVectorEnv([of(count, scenario=scenario, **FORMATS, **options) for scenario, count in parts])


@KINDS
def test_a_mixture_of_one_scenario_is_a_vector_environment_like_any_other(vector, scalar, options):
    check_vector_env(
        lambda size: mixed(size, SCENARIOS[:1] * min(size, 2), vector, **options),
        lambda: scalar(scenario=SCENARIOS[0], **FORMATS, **options),
    )


@KINDS
def test_environment_i_is_the_scalar_one_of_scenario_i_modulo_k(vector, scalar, options):
    size = 7
    envs = mixed(size, of=vector, **options)
    scalars = [lambda s=SCENARIOS[i % 3]: scalar(scenario=s, **FORMATS, **options) for i in range(size)]
    sync = SyncVectorEnv(scalars, autoreset_mode=AutoresetMode.SAME_STEP)
    assert_same(envs.reset(seed=11), sync.reset(seed=11), "reset")
    rng = np.random.default_rng(0)
    ended = np.zeros(size, int)
    for step in range(20):
        actions = rng.uniform(-1, 1, envs.action_space.shape).astype(np.float32)
        stepped = envs.step(actions)
        assert_same(stepped, sync.step(actions), f"step {step}")
        ended += stepped[2] | stepped[3]
    assert (ended > 0).all()
    mask = np.arange(size) % 3 == 1  # of one scenario alone
    assert_same(*(e.reset(options={"reset_mask": mask.copy()}) for e in (envs, sync)), "reset of one scenario")


@pytest.mark.parametrize(("total", "parts", "dealt"), [(8, 4, [2, 2, 2, 2]), (7, 3, [3, 2, 2]), (3, 3, [1, 1, 1])])
def test_everyone_gets_the_same_number_but_for_one(total, parts, dealt):
    assert shares(total, parts) == dealt


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(ValueError, match="a mixture of 3 needs at least 3 to deal out, got 2"):
        mixed(2)
    with pytest.raises(ValueError, match="mixed environments need one flat single_observation_space"):
        mixed(4, [SCENARIOS[0], SCENARIOS[0].replace(num_agents=5)])
    one = AllocationVectorEnv(1, scenario=SCENARIOS[0], **FORMATS)
    with pytest.raises(ValueError, match=r"take turns have equal sizes, the first ones 1 more, got \[1, 2\]"):
        MixedVectorEnv([one, AllocationVectorEnv(2, scenario=SCENARIOS[0], **FORMATS)])
    with pytest.raises(ValueError, match="reset option"):
        mixed(4).reset(options={"instance": None})

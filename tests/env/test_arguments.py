"""Arguments of environments: what their signatures show, how wrong names are refused, and what a spec keeps.

And copies, pickled or deep, made in the middle of an episode: they go on as the originals do.
"""

import copy
import inspect
import json
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest

from secagent_env import power_control
from secagent_env.allocation.env import AllocationEnv
from secagent_env.allocation.vector import AllocationVectorEnv
from secagent_env.gym_bases.arguments import fitting, takes_arguments_of
from secagent_env.lifetime.env import LifetimeEnv
from secagent_env.lifetime.vector import LifetimeVectorEnv
from secagent_env.power_control import metrics, sample_game
from secagent_env.power_control.env import PowerControlEnv
from secagent_env.power_control.game import Game
from secagent_env.power_control.vector import PowerControlVectorEnv

FORMATS = ("action_format", "observation_format", "instances", "order", "csi_error", "artificial_noise")
MOBILITY = ("mobility", "speed_m_s", "eve_speed_m_s", "task_interval_s", "velocity_memory_s", "motion_seen")
ALLOCATION = ("reference_energy_j", "penalty_fixed", "penalty_weight", "episodes_per_instance", "shaping", "rng")
SIGNATURES = {
    AllocationEnv: ("scenario", "*", "render_mode", *FORMATS, *ALLOCATION),
    AllocationVectorEnv: (
        *("num_envs", "scenario", "*", "threads", "device", "render_mode", "max_episode_steps", "autoreset_mode"),
        *FORMATS,
        *ALLOCATION,
    ),
    LifetimeEnv: ("scenario", "*", "render_mode", *FORMATS, "battery_j", "max_failures", *MOBILITY),
    LifetimeVectorEnv: (
        "num_envs",
        "scenario",
        "*",
        "max_episode_steps",
        "autoreset_mode",
        *FORMATS,
        "battery_j",
        "max_failures",
        *MOBILITY,
    ),
    PowerControlEnv: ("num_pairs", "rounds", "*", "render_mode", "metric", "feasible", "max_power_w", "intent_change"),
    PowerControlVectorEnv: (
        *("num_envs", "num_pairs", "rounds", "*", "max_episode_steps", "autoreset_mode"),
        *("metric", "feasible", "max_power_w", "intent_change"),
    ),
}
DEFAULTS = {
    "action_format": "flat",
    "penalty_fixed": 1.5,
    "max_failures": 10,
    "num_pairs": 4,
    "rounds": 10,
    "rng": "streams",
}


@pytest.mark.parametrize("env", SIGNATURES)
def test_signatures_list_every_argument_with_its_default(env):
    parameters = inspect.signature(env).parameters
    names = list(parameters)
    names.insert([p.kind for p in parameters.values()].index(inspect.Parameter.KEYWORD_ONLY), "*")
    assert tuple(names) == SIGNATURES[env]
    assert all(p.default is not p.empty for p in parameters.values())
    for name in DEFAULTS.keys() & parameters.keys():
        assert parameters[name].default == DEFAULTS[name]


@pytest.mark.parametrize("env", SIGNATURES)
def test_an_unknown_argument_is_the_error_of_any_constructor(env):
    with pytest.raises(
        TypeError, match=rf"^{env.__name__}\.__init__\(\) got an unexpected keyword argument 'scenari'$"
    ):
        env(scenari="small")
    with pytest.raises(TypeError, match=rf"^{env.__name__}\.__init__\(\) too many positional arguments$"):
        env(1, 2, 3, 4)


def test_an_argument_given_twice():
    with pytest.raises(TypeError, match="multiple values for argument 'scenario'"):
        AllocationEnv("small", scenario="paper")


def test_gymnasium_names_what_no_environment_takes():
    with pytest.raises(TypeError, match="unexpected keyword argument 'observation_fromat'"):
        gymnasium.make("secagent_env:secagent/Allocation-v0", observation_fromat="dict")
    with pytest.raises(TypeError, match="unexpected keyword argument 'render_mode'"):
        gymnasium.make_vec("secagent_env:secagent/Lifetime-v0", 2, "vector_entry_point", render_mode="ansi")


def test_a_spec_survives_json():
    env = gymnasium.make("secagent_env:secagent/Allocation-v0", scenario="small", observation_format="dict")
    assert json.loads(env.spec.to_json())["kwargs"] == {"scenario": "small", "observation_format": "dict"}
    again = gymnasium.make(gymnasium.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    assert again.observation_space == env.observation_space
    assert (again.unwrapped.scenario, again.unwrapped.observation_format) == (env.unwrapped.scenario, "dict")


def test_a_subclass_takes_the_same_arguments():
    class Named(AllocationEnv):
        """A subclass with an argument of its own."""

        def __init__(self, name: str, **arguments):
            super().__init__(**arguments)
            self.name = name

    assert Named("x", scenario="small", penalty_fixed=2).scenario.num_agents == 6
    with pytest.raises(TypeError, match="unexpected keyword argument 'nam'"):
        Named("x", nam="y")


def test_an_own_argument_takes_the_place_of_the_listed_one():
    class Rules:
        """Arguments, with an annotation and a default that the environment changes."""

        def __init__(self, *, scenario: str = "paper", rounds: int = 10) -> None:
            self.scenario, self.rounds = scenario, rounds

    @takes_arguments_of(Rules)
    class Env:
        """An environment of these rules."""

        def __init__(self, scenario: str = "small", **arguments) -> None:
            self.rules = Rules(scenario=scenario, **arguments)

    assert str(inspect.signature(Env)) == "(scenario: str = 'small', *, rounds: int = 10) -> None"
    assert (Env().rules.scenario, Env("dense", rounds=3).rules.rounds) == ("small", 3)


def test_what_fits_is_returned_as_it_is_or_as_numpy():
    game = sample_game(2)
    assert fitting("game", game, Game, [()], num_pairs=2) is game
    torch = pytest.importorskip("torch")
    assert fitting("game", game.to(torch), Game, [()]).gain.tolist() == game.gain.tolist()


# --- Copies ----------------------------------------------------------------------------------------------------

IDS = ("Allocation-v0", "Lifetime-v0", "PowerControl-v0")
SCALAR = {name: partial(gymnasium.make, f"secagent_env:secagent/{name}") for name in IDS}
VECTOR = {name: partial(gymnasium.make_vec, f"secagent_env:secagent/{name}", 3, "vector_entry_point") for name in IDS}
THREADED = partial(AllocationVectorEnv, 3, "small", threads=2)
COPIES = {"pickled": lambda env: pickle.loads(pickle.dumps(env)), "copied": copy.deepcopy}


def same(first: Any, second: Any) -> bool:
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, np.ndarray) and first.dtype == object:
        return same(list(first), list(second))
    return bool(np.array_equal(first, second, equal_nan=np.asarray(first).dtype.kind == "f"))


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize(
    "make",
    [*SCALAR.values(), *VECTOR.values(), THREADED],
    ids=[*SCALAR, *(f"{name} vector" for name in IDS), "threads"],
)
def test_a_copy_goes_on_like_the_original(make: Callable[[], Any], copied: str):
    env = make()
    env.action_space.seed(1)
    actions = [env.action_space.sample() for _ in range(3)]
    env.reset(seed=1)
    if make is not SCALAR["Allocation-v0"]:  # one step, and its episode is over
        env.step(actions[0])
    twin = COPIES[copied](env)
    assert same(env.step(actions[1]), twin.step(actions[1]))
    assert same(env.reset(), twin.reset())
    assert same(env.step(actions[2]), twin.step(actions[2]))
    env.close()
    twin.close()


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize("metric", metrics.names())
def test_a_copy_of_the_parallel_environment(metric: str, copied: str):
    env = power_control.parallel_env(metric=metric, talk=False)
    env.reset(seed=1)
    spaces = {agent: env.action_space(agent) for agent in env.possible_agents}
    for number, space in enumerate(spaces.values()):
        space.seed(number)
    first, second = ({agent: space.sample() for agent, space in spaces.items()} for _ in range(2))
    env.step(first)
    twin = COPIES[copied](env)
    assert same(env.step(second), twin.step(second))
    assert same(env.reset(), twin.reset())

"""Arguments of environments: what their signatures show, how wrong names are refused, and what a spec keeps."""

import copy
import inspect
import json
import pickle

import gymnasium
import pytest

from secagent_env.allocation.env import AllocationEnv
from secagent_env.allocation.vector import AllocationVectorEnv
from secagent_env.gym_bases.arguments import fitting, takes_arguments_of
from secagent_env.lifetime.env import LifetimeEnv
from secagent_env.lifetime.vector import LifetimeVectorEnv
from secagent_env.power_control import sample_game
from secagent_env.power_control.env import PowerControlEnv
from secagent_env.power_control.game import Game
from secagent_env.power_control.vector import PowerControlVectorEnv

FORMATS = ("action_format", "observation_format")
ALLOCATION = ("reference_energy_j", "penalty_fixed", "penalty_weight", "episodes_per_instance")
SIGNATURES = {
    AllocationEnv: ("scenario", "*", "render_mode", *FORMATS, *ALLOCATION),
    AllocationVectorEnv: (
        *("num_envs", "scenario", "*", "threads", "device", "render_mode", "max_episode_steps", *FORMATS, *ALLOCATION),
    ),
    LifetimeEnv: ("scenario", "*", "render_mode", *FORMATS, "battery_j", "max_failures"),
    LifetimeVectorEnv: ("num_envs", "scenario", "*", "max_episode_steps", *FORMATS, "battery_j", "max_failures"),
    PowerControlEnv: ("num_pairs", "rounds", "*", "render_mode", "metric", "feasible", "max_power_w"),
    PowerControlVectorEnv: (
        *("num_envs", "num_pairs", "rounds", "*", "max_episode_steps", "metric", "feasible", "max_power_w"),
    ),
}
DEFAULTS = {"action_format": "flat", "penalty_fixed": 1.5, "max_failures": 10, "num_pairs": 4, "rounds": 10}


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


@pytest.mark.parametrize("env", SIGNATURES)
def test_environments_can_be_copied(env):
    made = env()
    assert copy.deepcopy(made).observation_space == made.observation_space


@pytest.mark.parametrize("env", [AllocationEnv, AllocationVectorEnv, LifetimeEnv, LifetimeVectorEnv])
def test_environments_can_be_pickled(env):
    made = env(scenario="small")
    assert pickle.loads(pickle.dumps(made)).observation_space == made.observation_space


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

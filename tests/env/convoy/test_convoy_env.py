"""Crossings under way, what agents know, and the PettingZoo environment."""

import dataclasses
import warnings

import gymnasium
import numpy as np
import pytest

from secagent_env import convoy
from secagent_env.convoy.crossing import Actions, Crossings, Start, draw, results
from secagent_env.convoy.messages import DECISION, INFORMATION, INTENT
from secagent_env.convoy.rules import CrossingRules
from secagent_env.convoy.views import observation_size, observations, roadside_view, view_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from pettingzoo.test import parallel_api_test, parallel_seed_test

QUIET = CrossingRules(num_vehicles=2, sensor_noise_m=0.0, sensor_noise_m_s=0.0)
FAR = Start(np.array([[-60.0, -50.0]]), np.array([[10.0, 12.0]]))


def begin(rules: CrossingRules = QUIET, start: Start = FAR, seed: int = 0) -> Crossings:
    return Crossings(rules, start, np.random.default_rng(seed))


def actions(crossings: Crossings, a: float = 0.0, send: int = 0, go: int = 0, **more: np.ndarray) -> Actions:
    v, nodes = crossings.place.shape, (len(crossings.place), crossings.rules.nodes)
    return Actions(
        acceleration=np.full(v, a), send=np.full(nodes, send), power_w=np.full(nodes, 0.1), go=np.full(v, go), **more
    )


def test_the_reward_is_time_engines_radios_and_collisions():
    crossings = begin()
    reward = crossings.step(actions(crossings, send=INTENT))
    force = [1500 * 0.0981 + 0.396 * v**2 for v in (10.0, 12.0)]
    engine = (force[0] * 2.0 + force[1] * 2.4) / 2
    assert reward == pytest.approx([-(0.2 + 2e-5 * engine + 400 * 2 * 0.1 * 2.5e-4 / 2)])
    assert crossings.tally.bits.tolist() == [[6, 6]]
    assert crossings.tally.radio_j.sum() == pytest.approx(5e-5)


def test_two_who_meet_collide_once_and_their_crossing_ends():
    crossings = begin(start=Start(np.array([[-6.0, -8.0], [-6.0, -50.0]]), np.full((2, 2), 10.0)))
    rewards = np.array([crossings.step(actions(crossings)) for _ in range(5)])
    assert crossings.collided.tolist() == [True, False]
    assert crossings.hit.tolist() == [[True, True], [False, False]]
    assert (rewards[:, 0] < -100).sum() == 1
    assert (rewards[:, 1] > -1).all()
    before = crossings.seconds.copy()
    assert crossings.step(actions(crossings))[0] == 0
    assert (crossings.seconds - before).tolist() == pytest.approx(np.array([[0, 0], [0.2, 0.2]]))


def test_a_collision_between_two_steps_is_seen():
    # The first enters the zone after 0.05 s, the second leaves it after 0.15 s.
    crossings = begin(start=Start(np.array([[-2.15, -0.85]]), np.array([[15.0, 15.0]])))
    crossings.step(actions(crossings))
    assert crossings.collided.all()


def test_who_has_crossed_costs_and_sends_no_more():
    crossings = begin(start=Start(np.array([[29.0, -60.0]]), np.array([[10.0, 10.0]])))
    crossings.step(actions(crossings))
    assert crossings.crossed.tolist() == [[True, False]]
    crossings.step(actions(crossings, send=INTENT))
    assert crossings.tally.sent.tolist() == [[0, 1]]
    assert crossings.seconds.tolist() == [[pytest.approx(0.2), pytest.approx(0.4)]]


def test_the_clock_ends_a_crossing_that_stands():
    crossings = begin(start=Start(np.array([[-60.0, -50.0]]), np.zeros((1, 2))))
    for _ in range(100):
        crossings.step(actions(crossings))
    assert crossings.over
    found = results(crossings)
    assert (found["late"][0], found["collided"][0], found["seconds"][0]) == (True, False, pytest.approx(20.0))
    with pytest.raises(gymnasium.error.ResetNeeded, match="start new ones"):
        crossings.step(actions(crossings))


# --- What is known --------------------------------------------------------------------------------------------


def test_renewed_crossings_are_as_new_ones_and_the_others_go_on():
    rules = CrossingRules(num_vehicles=2, sensor_noise_m=0.0, sensor_noise_m_s=0.0, cut_rate=0.5, nan_rate=0.5)
    start = Start(np.array([[-6.0, -8.0], [-60.0, -50.0]]), np.full((2, 2), 10.0))
    crossings = begin(rules, start)
    while crossings.active[0]:
        crossings.step(actions(crossings, send=INFORMATION))
    second = {name: getattr(crossings, name)[1].copy() for name in ("place", "speed", "seconds", "time_s", "received")}
    known = crossings.knowledge.age[1].copy()
    crossings.renew(np.array([True, False]), FAR)
    new = begin(rules)
    for name, value in vars(new).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(crossings, name)[0], value[0], err_msg=name)
    for name, value in vars(new.tally).items():
        assert getattr(crossings.tally, name)[0].tolist() == value[0].tolist(), name
    for name, value in vars(new.knowledge).items():
        np.testing.assert_array_equal(getattr(crossings.knowledge, name)[0], value[0], err_msg=name)
    for name, value in second.items():
        np.testing.assert_array_equal(getattr(crossings, name)[1], value, err_msg=name)
    np.testing.assert_array_equal(crossings.knowledge.age[1], known)
    shares = observations(view_of(crossings))[:, :, 2]
    assert shares[0].tolist() == [0, 0]
    assert shares[1].tolist() == pytest.approx([second["time_s"] / 20] * 2)
    steps = 0
    while crossings.active.any():
        crossings.step(actions(crossings, a=-6.0))
        steps += crossings.active[0]
    assert steps == 99  # the clock of the new one began with it
    with pytest.raises(ValueError, match="1 crossings are to begin anew, got 2 starts"):
        crossings.renew(np.array([True, False]), start)
    late = begin(dataclasses.replace(rules, organisation="independent"))
    with pytest.raises(ValueError, match="independent agents cannot be renewed"):
        late.renew(np.array([True]), FAR)


def test_buildings_hide_and_sensors_tell():
    hidden, open_ = begin(), begin(dataclasses.replace(QUIET, setback_m=80.0), Start(FAR.place / 2, FAR.speed))
    assert np.isinf(view_of(hidden).age[0, 0, 1])
    view = view_of(open_)
    assert (view.age[0, 0, 1], view.other_place[0, 0, 1], view.other_speed[0, 0, 1]) == (0, -25, 12)
    assert np.isinf(view.age[0, 0, 0])  # nobody tracks itself


def test_sensors_see_so_far():
    far = dataclasses.replace(QUIET, setback_m=80.0, sensor_range_m=50.0)
    assert np.isinf(view_of(begin(far)).age).all()


def test_messages_tell_what_their_level_does():
    loud = dataclasses.replace(QUIET, wall_loss_db=0.0, slots=64)
    views = {}
    for level in (INFORMATION, DECISION, INTENT):
        crossings = begin(loud)
        crossings.step(actions(crossings, a=-3.0, send=level, go=1))
        views[level] = view_of(crossings)
    # Heard before the step: −50 m and 12 m/s; 0.2 s later with a constant speed, or with the acceleration told.
    assert views[INFORMATION].other_place[0, 0, 1] == pytest.approx(-50 + 2.4)
    assert views[INFORMATION].age[0, 0, 1] == pytest.approx(0.2)
    assert views[DECISION].other_place[0, 0, 1] == pytest.approx(-50 + (12 + 11.4) / 2 * 0.2)
    assert views[DECISION].other_acceleration[0, 0, 1] == pytest.approx(-3.0)
    assert np.isinf(views[INTENT].age).all()
    assert views[INTENT].claim[0].tolist() == [[-1, 1], [1, -1]]
    assert views[INFORMATION].claim[0].tolist() == [[-1, -1], [-1, -1]]


def test_an_independent_radio_agent_tells_of_the_step_before():
    loud = dataclasses.replace(QUIET, wall_loss_db=0.0, slots=64, organisation="independent")
    crossings = begin(loud)
    crossings.step(actions(crossings, send=DECISION))
    assert crossings.tally.sent.sum() == 0  # nothing was handed over yet
    crossings.step(actions(crossings, send=DECISION))
    assert view_of(crossings).other_place[0, 0, 1] == pytest.approx(-50 + 2.4)  # one step late


def test_information_passes_on_what_was_heard_and_the_roadside_unit_knows_it():
    rules = dataclasses.replace(QUIET, wall_loss_db=0.0, slots=64, roadside=True)
    crossings = begin(rules)
    send = np.array([[INFORMATION, 0, 0]])
    crossings.step(dataclasses.replace(actions(crossings), send=send))
    known, there = roadside_view(crossings)
    assert there.tolist() == [[True, False]]
    assert known.place[0, 0] == pytest.approx(-58.0)
    crossings.step(dataclasses.replace(actions(crossings), send=np.array([[0, INFORMATION, 0]])))
    assert crossings.tally.bits[0].tolist() == [27, 46, 0]  # the second passes on what it heard of the first
    with pytest.raises(ValueError, match="no roadside unit"):
        roadside_view(begin())


def test_orders_arrive():
    rules = dataclasses.replace(QUIET, wall_loss_db=0.0, slots=64, roadside=True)
    crossings = begin(rules)
    crossings.step(actions(crossings, send=INFORMATION))
    orders = {"orders": np.array([[-3.0, 1.5]]), "orders_go": np.array([[0, 1]])}
    for level in (DECISION, INTENT):
        crossings.step(dataclasses.replace(actions(crossings, **orders), send=np.array([[0, 0, level]])))
    view = view_of(crossings)
    assert view.order[0].tolist() == pytest.approx([-3.0, 1.5])
    assert view.order_go[0].tolist() == [0, 1]
    assert view.order_age[0] == pytest.approx([0.2, 0.2])


def test_faults_are_counted_and_survived():
    crossings = begin(
        dataclasses.replace(QUIET, nan_rate=1.0, cut_rate=1.0, setback_m=80.0), Start(FAR.place / 2, FAR.speed)
    )
    for _ in range(3):
        assert np.isfinite(crossings.step(actions(crossings, send=INFORMATION))).all()
    assert np.isinf(view_of(crossings).age).all()
    assert crossings.tally.nan[0] > 0
    assert crossings.tally.cut[0] == crossings.tally.sent.sum() == 6
    assert np.isfinite(observations(view_of(crossings))).all()


def test_full_information_is_the_truth():
    crossings = begin(dataclasses.replace(QUIET, full_information=True))
    crossings.step(actions(crossings, a=-2.0))
    view = view_of(crossings)
    assert view.other_place[0, 0, 1] == crossings.place[0, 1]
    assert view.other_acceleration[0, 0, 1] == -2.0


def test_observations_are_numbers_of_what_is_known():
    crossings = begin(dataclasses.replace(QUIET, setback_m=80.0), Start(FAR.place / 2, FAR.speed))
    seen = observations(view_of(crossings))
    assert seen.shape == (1, 2, observation_size(2))
    assert seen[0, 0] == pytest.approx(
        [-30 / 84, 10 / 15, 0, 0, 1, -25 / 84, 12 / 15, 0, 0, 0, 0, 0, 0, 0, 0], abs=1e-6
    )


# --- Draws, seeds, errors ---------------------------------------------------------------------------------------


def test_starts_arrive_within_the_spread_whatever_their_number():
    start = draw(CrossingRules(spread_s=1.0), np.random.default_rng(0), 500)
    arrival = -start.place / start.speed
    assert (arrival.min(), arrival.max()) == (pytest.approx(4, abs=0.01), pytest.approx(5, abs=0.01))
    two = draw(CrossingRules(num_vehicles=2, spread_s=1.0), np.random.default_rng(0), 500)
    assert two.place.tolist() == start.place[:, :2].tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_vehicles": 5}, "num_vehicles must be an integer from 2 to 4"),
        ({"setback_m": 1.0}, "setback_m"),
        ({"organisation": "convergd"}, "did you mean 'converged'"),
        ({"nan_rate": 1.5}, "nan_rate"),
        ({"slots": 0}, "slots"),
        ({"speed_m_s": (5.0, 20.0)}, "highest first speed"),
    ],
)
def test_bad_rules_are_told(change: dict, message: str):
    with pytest.raises(ValueError, match=message):
        CrossingRules(**change)


def test_bad_starts_and_actions_are_told():
    with pytest.raises(ValueError, match="shape"):
        begin(start=Start(np.zeros((1, 3)), np.zeros((1, 3))))
    with pytest.raises(ValueError, match="finite"):
        begin(start=Start(np.array([[np.nan, 0.0]]), np.zeros((1, 2))))
    crossings = begin()
    with pytest.raises(ValueError, match="acceleration must hold finite"):
        crossings.step(actions(crossings, a=np.nan))
    with pytest.raises(ValueError, match="levels from 0 to 3"):
        crossings.step(actions(crossings, send=4))
    with pytest.raises(ValueError, match="go must have the shape"):
        crossings.step(dataclasses.replace(actions(crossings), go=np.zeros((1, 3))))
    assert crossings.time_s == 0


# --- PettingZoo -------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("organisation", ["converged", "independent"])
@pytest.mark.parametrize("roadside", [False, True])
def test_pettingzoo_accepts_it(organisation: str, roadside: bool):
    parallel_api_test(convoy.parallel_env(organisation=organisation, roadside=roadside), 120)
    parallel_seed_test(lambda: convoy.parallel_env(organisation=organisation, roadside=roadside), 60)


def test_an_episode_is_the_batched_crossing():
    env = convoy.parallel_env(num_vehicles=2)
    env.reset(seed=3)
    start, rules = env.crossings.start, env.rules
    env.reset(seed=5, options={"start": start})
    batch = Crossings(rules, start, np.random.Generator(np.random.PCG64(np.random.SeedSequence(5))))
    own = {"acceleration": np.array([1.0]), "go": 1, "send": DECISION, "power": np.array([0.1])}
    for _ in range(10):
        _, reward, *_ = env.step(dict.fromkeys(env.agents, own))
        expected = batch.step(actions(batch, a=1.0, send=DECISION, go=1))
        assert reward["vehicle_0"] == pytest.approx(expected[0])
    assert env.state()[:2] * 84 == pytest.approx(batch.place[0], rel=1e-6)


def test_bad_actions_of_agents_are_told():
    env = convoy.parallel_env(num_vehicles=2)
    env.reset(seed=0)
    good = {agent: env.action_space(agent).sample() for agent in env.agents}
    with pytest.raises(ValueError, match="one of each of vehicle_0, vehicle_1"):
        env.step({"vehicle_0": good["vehicle_0"]})
    for change, message in (
        ({"power": np.array([np.nan])}, "power of vehicle_0 must be finite"),
        ({"send": 7}, "whole number from 0 to 3"),
        ({"acceleration": "fast"}, "acceleration of vehicle_0"),
    ):
        with pytest.raises(ValueError, match=message):
            env.step({**good, "vehicle_0": {**good["vehicle_0"], **change}})
    with pytest.raises(ValueError, match="must be a dict of"):
        env.step({**good, "vehicle_0": 1.0})


def test_it_shows_itself():
    env = convoy.parallel_env(num_vehicles=3, render_mode="rgb_array")
    env.reset(seed=0)
    first = env.render()
    env.step({agent: env.action_space(agent).sample() for agent in env.agents})
    assert first.shape == (700, 1100, 3)
    assert (first != env.render()).any()
    text = convoy.parallel_env(render_mode="ansi")
    text.reset(seed=0)
    assert text.render().count("vehicle ") == 4
    with pytest.raises(ValueError, match="render_mode"):
        convoy.parallel_env(render_mode="rgb")

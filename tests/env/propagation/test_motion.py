"""Motion: places as the process has them, links that remember over distance and lags, and Lifetime-v0 with both."""

import dataclasses
import itertools
import math

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from scipy import stats
from scipy.special import j0, ndtri

from secagent_env import Scenario, sample_instance
from secagent_env.sampling.generator import draw_deployments
from secagent_env.sampling.motion import Mobility, advance, start

ID = "secagent_env:secagent/Lifetime-v0"
WAVELENGTH = 299_792_458.0 / 3.5e9


def run(scenario, tasks, size=200, seed=0, **mobility):
    """Return motions, deployments and tasks of ``size`` networks, in lists over time."""
    moving = Mobility(**{"task_interval_s": 1.0, **mobility})
    generators = [np.random.default_rng([seed, i]) for i in range(size)]
    deployment, task = draw_deployments(scenario, generators)
    steps = [start(moving, deployment, task, generators)]
    for _ in range(tasks):
        motion, deployment, _ = steps[-1]
        steps.append(advance(moving, motion, deployment, generators))
    return list(zip(*steps, strict=True))


def correlation(one, other):
    return np.mean(one * other) / math.sqrt(np.mean(one**2) * np.mean(other**2))


# --- Places -------------------------------------------------------------------------------------------------

OPEN = Scenario(num_agents=20, num_antennas=1, area_m=(-1e6, 1e6), eve_area_m=(-1e6, 1e6))


@pytest.mark.parametrize(("interval", "memory"), [(3.0, 30.0), (60.0, 30.0), (0.01, 30.0)])
def test_velocities_are_gauss_markov_and_their_mean_speed_is_as_asked(interval, memory):
    motions, *_ = run(
        OPEN, 1, 400, speed_m_s=2.0, eve_speed_m_s=5.0, task_interval_s=interval, velocity_memory_s=memory
    )
    for motion in motions:
        speed = np.linalg.norm(motion.velocity_m_s, axis=-1)
        assert speed[:, :20].mean() == pytest.approx(2.0, rel=0.03)
        assert speed[:, 20:].mean() == pytest.approx(5.0, rel=0.1)
    old, new = (motion.velocity_m_s[:, :20].ravel() for motion in motions)
    assert correlation(old, new) == pytest.approx(math.exp(-interval / memory), abs=0.03)


@pytest.mark.parametrize("interval", [0.1, 10.0, 200.0])
def test_displacements_have_the_variance_of_the_process(interval):
    """Var Δx = 2 s² T² (Δt/T − 1 + e^(−Δt/T)) from a stationary velocity; Cov(Δx, v) = s² T (1 − e^(−Δt/T))."""
    motions, *_ = run(OPEN, 1, 400, speed_m_s=1.0, task_interval_s=interval, velocity_memory_s=20.0)
    step = (motions[1].place_m - motions[0].place_m)[:, :20].ravel()
    s2, x = 2 / math.pi, interval / 20
    assert np.var(step) == pytest.approx(2 * s2 * 400 * (x - 1 + math.exp(-x)), rel=0.05)
    for motion in motions:
        covariance = np.mean(step * motion.velocity_m_s[:, :20].ravel())
        assert covariance == pytest.approx(
            s2 * 20 * (1 - math.exp(-x)), rel=0.06, abs=0.05 * math.sqrt(np.var(step) * s2)
        )


def test_two_intervals_are_as_good_as_one_of_their_sum():
    halves, *_ = run(OPEN, 2, 400, seed=1, task_interval_s=10.0)
    whole, *_ = run(OPEN, 1, 400, seed=2, task_interval_s=20.0)
    two, one = ((m[-1].place_m - m[0].place_m)[:, :20].ravel() for m in (halves, whole))
    assert stats.ks_2samp(two, one).pvalue > 1e-3
    two, one = (m[0].velocity_m_s[:, :20].ravel() * m[-1].velocity_m_s[:, :20].ravel() for m in (halves, whole))
    assert stats.ks_2samp(two, one).pvalue > 1e-3


def test_borders_mirror_and_agents_stay_uniform():
    scenario = Scenario(num_agents=20, num_antennas=1, num_eavesdroppers=2, eve_area_m=((100.0, 120.0), (7.0, 7.0)))
    motions, *_ = run(scenario, 6, 100, speed_m_s=3.0, eve_speed_m_s=3.0, task_interval_s=25.0)
    for motion in motions:
        agents, eves = motion.place_m[:, :20], motion.place_m[:, 20:]
        assert np.all((agents >= 0) & (agents <= 100))
        assert np.all((eves[..., 0] >= 100) & (eves[..., 0] <= 120) & (eves[..., 1] == 7))
        assert np.all(motion.velocity_m_s[:, 20:, 1] == 0)
    assert stats.kstest(motions[-1].place_m[:, :20].ravel(), "uniform", (0, 100)).pvalue > 1e-3
    assert np.all(np.abs(motions[0].place_m[:, 20:, 0] - motions[-1].place_m[:, 20:, 0]) > 0)
    # close to a border that it runs into, an agent comes back: the velocity is turned with the place
    turned = (motions[0].velocity_m_s * motions[1].velocity_m_s)[:, :20]
    assert 0.05 < np.mean(turned < 0) < 0.6


def test_an_agent_is_mirrored_by_hand():
    scenario = Scenario(num_agents=1, num_antennas=1)
    (motion,), (deployment,), _ = run(scenario, 0, 1)
    moving = Mobility(speed_m_s=1e-9, task_interval_s=1.0, velocity_memory_s=1e9)
    at = dataclasses.replace(
        motion,
        place_m=np.array([[[99.0, 50.0], [150.0, 150.0]]]),
        velocity_m_s=np.array([[[3.0, -60.0], [0.0, 0.0]]]),
    )
    after, *_ = advance(moving, at, deployment, [np.random.default_rng(0)])
    np.testing.assert_allclose(after.place_m[0], [[98.0, 10.0], [150.0, 150.0]], atol=1e-6)
    np.testing.assert_allclose(after.velocity_m_s[0], [[-3.0, 60.0], [0.0, 0.0]], atol=1e-6)


# --- Links --------------------------------------------------------------------------------------------------


def moved(scenario, step_m, size=3000, seed=3, eve_m=0.0, **mobility):
    """Return motions, deployments and tasks before and after every agent went ``step_m`` along x."""
    moving = Mobility(**{"speed_m_s": 0.0, "task_interval_s": 1.0, "velocity_memory_s": 1e12, **mobility})
    generators = [np.random.default_rng([seed, i]) for i in range(size)]
    deployment, task = draw_deployments(scenario, generators)
    motion, deployment, task = start(moving, deployment, task, generators)
    velocity = np.zeros_like(motion.velocity_m_s)
    n = scenario.num_agents
    velocity[:, :n, 0], velocity[:, n:, 0] = step_m, eve_m
    motion = dataclasses.replace(motion, velocity_m_s=velocity)
    return (motion, deployment, task), advance(moving, motion, deployment, generators)


FAR = {"num_agents": 2, "num_antennas": 2, "area_m": (1000.0, 1200.0), "eve_area_m": (500.0, 600.0)}


@pytest.mark.parametrize(("name", "sight", "without"), [("umi", 10.0, 13.0), ("uma", 37.0, 50.0)])
@pytest.mark.parametrize("step", [5.0, 20.0])
def test_links_are_remembered_over_distance(name, sight, without, step):
    """A kilometre away nearly no link has a line of sight: exp(−Δx/d_corr), of both ends together between devices."""
    (before, *_), (after, *_) = moved(Scenario(**FAR, path_loss=name, fading="rician"), step)
    assert np.mean(before.los) < 0.2
    for kind, distance in enumerate((without, sight, sight)):  # shadowing, line of sight, K
        for links, length in (((0, 1), step), ((3,), 2 * step), ((4, 5), step)):
            chosen = np.ones(before.los.shape, bool) if kind else ~before.los
            old, new = (
                np.concatenate([motion.large[chosen[:, i], kind, i] for i in links]) for motion in (before, after)
            )
            found = np.mean(old * new) / np.mean(old**2)
            assert found == pytest.approx(math.exp(-length / distance), abs=5 / math.sqrt(len(old))), (kind, links)
            assert np.std(new) == pytest.approx(1, abs=0.1)
    np.testing.assert_array_equal(before.large[:, :, 2], after.large[:, :, 2])  # the base station and one who rests


def test_with_a_line_of_sight_its_own_distance_counts():
    scenario = Scenario(num_agents=2, num_antennas=1, area_m=(0.0, 10.0), eve_area_m=(0.0, 0.0), path_loss="uma")
    (before, *_), (after, *_) = moved(scenario, 4.0)
    assert before.los[:, :2].all()
    distance = np.linalg.norm(after.place_m - before.place_m, axis=-1)[:, :2]
    kept = np.exp(-distance / 37.0)
    residual = (after.large[:, 0, :2] - kept * before.large[:, 0, :2]) / np.sqrt(1 - kept**2)
    assert stats.kstest(residual.ravel(), "norm").pvalue > 1e-3
    old, new = before.large[:, 0, :2].ravel(), after.large[:, 0, :2].ravel()
    assert np.mean(old * new) == pytest.approx(np.mean(kept), abs=0.05)


def test_lines_of_sight_come_and_go_as_likely_as_before():
    scenario = Scenario(num_agents=10, num_antennas=1, path_loss="umi")
    motions, *_ = run(scenario, 5, 300, speed_m_s=1.0, task_interval_s=5.0)
    changed = [np.mean(a.los[:, :10] != b.los[:, :10]) for a, b in itertools.pairwise(motions)]
    assert all(0.02 < share < 0.4 for share in changed)
    shares = [np.mean(motion.los) for motion in motions]
    assert max(shares) - min(shares) < 0.02
    motion = motions[-1]  # the state is that of its number and its place
    d = np.linalg.norm(motion.place_m, axis=-1)
    likely = scenario.propagation.los_probability(np.maximum(d, 10.0))
    inside = np.clip(likely, 1e-12, 1 - 1e-12)
    expected = np.where(likely == 1, True, motion.large[:, 1, :11] < ndtri(inside))
    np.testing.assert_array_equal(motion.los[:, :11], expected)


@pytest.mark.parametrize("wavelengths", [0.0, 0.1, 0.3, 0.383, 1.0])
def test_fading_is_remembered_as_bessel_says(wavelengths):
    """ρ = J₀(2π f_D Δt), squared where both ends move; powers of CN numbers correlate with ρ²."""
    scenario = Scenario(num_agents=3, num_antennas=4, eve_area_m=((1e5, 2e5), (0, 0)), area_m=(1e5, 2e5))
    (before, _, first), (after, _, second) = moved(scenario, wavelengths * WAVELENGTH)
    rho = j0(2 * math.pi * wavelengths)
    close = 5 / math.sqrt(3000)
    scale = [task.channel_bs * np.linalg.norm(task.position_m, axis=-1)[..., None] for task in (first, second)]
    found = np.mean(scale[0].conj() * scale[1]) / np.mean(np.abs(scale[0]) ** 2)
    assert found == pytest.approx(rho, abs=close / math.sqrt(6))
    base, pairs = 4 * 4, 3
    parts = before.scatter, after.scatter
    for links, expected in (
        (slice(12), rho),
        (slice(12, base), 1.0),  # the base station and an eavesdropper who rests
        (slice(base, base + pairs), rho**2),
        (slice(base + pairs, None), rho),
    ):
        old, new = (part[:, links].ravel() for part in parts)
        assert np.mean(old * new) / np.mean(old**2) == pytest.approx(expected, abs=close)
        assert np.std(new) == pytest.approx(1, abs=close)


def test_both_ends_count_where_the_eavesdropper_moves_too():
    scenario = Scenario(num_agents=2, num_antennas=1, area_m=(1e5, 2e5), eve_area_m=(3e5, 4e5))
    (before, *_), (after, *_) = moved(scenario, 0.2 * WAVELENGTH, eve_m=0.1 * WAVELENGTH)
    own, eve = j0(0.4 * math.pi), j0(0.2 * math.pi)
    for links, expected in ((slice(2), own), (slice(2, 3), eve), (slice(3, 4), own**2), (slice(4, None), own * eve)):
        old, new = before.scatter[:, links].ravel(), after.scatter[:, links].ravel()
        assert np.mean(old * new) / np.mean(old**2) == pytest.approx(expected, abs=5 / math.sqrt(3000))


def test_it_is_the_time_between_tasks_that_counts():
    scenario = Scenario(num_agents=2, num_antennas=1, area_m=(1e5, 2e5))
    (before, *_), (after, *_) = moved(scenario, 0.1 * WAVELENGTH, task_interval_s=2.0)
    old, new = before.scatter[:, :2].ravel(), after.scatter[:, :2].ravel()
    assert np.mean(old * new) / np.mean(old**2) == pytest.approx(j0(0.4 * math.pi), abs=5 / math.sqrt(12_000))


def test_a_line_of_sight_turns_with_its_length():
    """A pure line of sight: the phase of h falls by 2π Δd/λ, of every antenna without geometry alike."""
    for array in ("iid", "ula"):
        scenario = Scenario(
            num_agents=2, num_antennas=3, area_m=((50, 60), (0, 0)), fading="rician", rician_k_db=200.0, array=array,
            array_bearing_deg=0.0, bs_height_m=10.0, agent_height_m=2.0,
        )  # fmt: skip
        (before, _, first), (after, _, second) = moved(scenario, 0.123 * WAVELENGTH, size=5)
        lengths = [motion.place_m[:, :2, 0] for motion in (before, after)]
        turned = second.channel_bs / first.channel_bs
        rise = scenario.propagation.slant_m(lengths[1], True) - scenario.propagation.slant_m(lengths[0], True)
        expected = np.exp(-2j * math.pi * rise / WAVELENGTH)[..., None]
        np.testing.assert_allclose(turned / np.abs(turned), np.broadcast_to(expected, turned.shape), atol=1e-5)


def test_who_rests_keeps_its_links():
    scenario = Scenario(num_agents=4, num_antennas=2, path_loss="umi", fading="rician", array="ula")
    _, _, tasks = run(scenario, 2, 5, speed_m_s=0.0)
    for name in ("channel_bs", "channel_eve", "gain_agents", "gain_eve", "position_m"):
        np.testing.assert_allclose(getattr(tasks[0], name), getattr(tasks[2], name), rtol=1e-6)
    assert not np.any(tasks[0].inference_time_s == tasks[1].inference_time_s)


def test_far_apart_tasks_are_drawn_anew():
    """After 3000 s at 1 m/s, positions, shadowing and fading are as good as independent, and of the same law."""
    scenario = Scenario(num_agents=6, num_antennas=2, path_loss="umi")
    motions, _, tasks = run(scenario, 1, 400, task_interval_s=3000.0)
    old, new = (motion.place_m[:, :6].ravel() - 50 for motion in motions)
    assert abs(correlation(old, new)) < 0.05
    levels = [np.log(task.gain_agents[:, *np.triu_indices(6, 1)]).ravel() for task in tasks]
    assert abs(np.corrcoef(*levels)[0, 1]) < 0.06
    assert stats.ks_2samp(*levels).pvalue > 1e-3


@pytest.mark.parametrize("fading", [{}, {"fading": "rician", "rician_k_db": 6.0}])
def test_links_in_motion_have_the_mean_gains_of_resting_ones(fading):
    scenario = Scenario(num_agents=6, num_antennas=2, num_eavesdroppers=2, eve_area_m=(150.0, 250.0), **fading)
    _, _, tasks = run(scenario, 1, 1500, speed_m_s=1.0, task_interval_s=10.0)
    for task in tasks:
        place, eves = task.position_m, task.eve_position_m
        pairs, to_eves = (np.sum((place[:, :, None] - ends[:, None]) ** 2, axis=-1) for ends in (place, eves))
        upper = np.triu_indices(6, 1)
        for gains, squared, from_bs in (
            (np.mean(np.abs(task.channel_bs) ** 2, axis=-1), np.sum(place**2, axis=-1), True),
            (np.mean(np.abs(task.channel_eve) ** 2, axis=-1), np.sum(eves**2, axis=-1), True),
            (task.gain_agents[:, *upper], pairs[:, *upper], False),
            (task.gain_eve, to_eves, False),
        ):
            over_mean = gains / scenario.propagation.mean_gain(squared, from_bs)
            assert np.mean(over_mean) == pytest.approx(1, abs=0.06)


# --- Lifetime-v0 --------------------------------------------------------------------------------------------

MOVING = {"mobility": "gauss-markov", "task_interval_s": 10.0, "max_failures": 3}
HARD = {"preset": "small", "path_loss": "umi", "fading": "rician", "eve_area_m": (50.0, 100.0)}


@pytest.mark.parametrize("scenario", ["small", HARD])
@pytest.mark.parametrize("eve", [None, 2.0])
def test_observations_add_places_and_velocities(scenario, eve):
    arguments = {**MOVING, "scenario": HARD if eve else scenario, "eve_speed_m_s": eve, "speed_m_s": 2.0}
    env = gymnasium.make(ID, observation_format="dict", **arguments)
    observation, _ = env.reset(seed=4)
    flat, _ = gymnasium.make(ID, observation_format="flat", **arguments).reset(seed=4)
    for _ in range(2):
        assert env.observation_space.contains(observation)
        running = env.unwrapped
        motion = running._running.motion
        place = running.instance.position_m
        np.testing.assert_allclose(observation["motion"][:, :2], place / 50 - 1, atol=1e-6)
        np.testing.assert_allclose(observation["motion"][:, 2:], motion.velocity_m_s[0, :6] / 2, atol=1e-6)
        assert ("eavesdropper_motion" in observation) == (eve is not None)
        if eve:
            expected = (running.instance.eve_position_m - 75) / 25
            np.testing.assert_allclose(observation["eavesdropper_motion"][:, :2], expected, atol=1e-6)
            np.testing.assert_allclose(observation["eavesdropper_motion"][:, 2:], motion.velocity_m_s[0, 6:] / 2)
        if flat is not None:
            tail = [observation[part].ravel() for part in observation if part in ("motion", "eavesdropper_motion")]
            tail = np.concatenate(tail)
            np.testing.assert_array_equal(flat[-len(tail) :], tail)
        observation, *_ = env.step(np.zeros(env.action_space.shape, np.float32))
        flat = None


@pytest.mark.parametrize("form", ["dict", "flat", "compact"])
def test_motion_that_is_not_seen_is_there(form):
    """Networks and tasks are the same, the observation is that of devices at rest, without the parts of motion."""
    envs = [
        gymnasium.make(ID, observation_format=form, scenario=HARD, eve_speed_m_s=2.0, **MOVING, motion_seen=seen)
        for seen in (True, False)
    ]
    (seen, _), (unseen, _) = (env.reset(seed=4) for env in envs)
    assert envs[1].observation_space == gymnasium.make(ID, observation_format=form, scenario=HARD).observation_space
    for _ in range(3):
        assert envs[1].observation_space.contains(unseen)
        if form == "dict":
            for name, part in unseen.items():
                np.testing.assert_array_equal(part, seen[name])
            assert set(seen) - set(unseen) == {"motion", "eavesdropper_motion"}
        else:
            np.testing.assert_array_equal(unseen, seen[: len(unseen)])
        action = np.zeros(envs[0].action_space.shape, np.float32)
        seen, unseen = (env.step(action)[0] for env in envs)


@pytest.mark.parametrize("arguments", [{**MOVING, "scenario": HARD, "eve_speed_m_s": 1.0}, {"scenario": HARD}])
def test_many_are_each_the_scalar_one_bit_for_bit(arguments):
    mode = {"autoreset_mode": AutoresetMode.SAME_STEP}
    native = gymnasium.make_vec(ID, 3, "vector_entry_point", **arguments)
    sync = gymnasium.make_vec(ID, 3, "sync", vector_kwargs=mode, **arguments)
    one, other = native.reset(seed=3)[0], sync.reset(seed=3)[0]
    np.testing.assert_array_equal(one, other)
    native.action_space.seed(0)
    ended = 0
    for _ in range(12):
        actions = native.action_space.sample()
        mine, theirs = native.step(actions), sync.step(actions)
        for a, b in zip(mine[:3], theirs[:3], strict=True):
            np.testing.assert_array_equal(a, b)
        ended += mine[2].sum()
    assert ended > 2 or "mobility" not in arguments


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"mobility": "walk"}, "unknown mobility 'walk'; valid are: gauss-markov"),
        ({"speed_m_s": 1.0}, "speed_m_s needs mobility='gauss-markov', got mobility=None"),
        ({"motion_seen": False}, "motion_seen=False needs mobility='gauss-markov', got mobility=None"),
        ({"mobility": "gauss-markov", "motion_seen": 0}, "motion_seen must be"),
        ({**MOVING, "speed_m_s": -1.0}, "speed_m_s must be a finite number ≥ 0, got -1.0"),
        ({**MOVING, "task_interval_s": 0}, "task_interval_s must be a finite number > 0, got 0"),
        ({**MOVING, "velocity_memory_s": 0}, "velocity_memory_s must be a finite number > 0, got 0"),
        ({**MOVING, "eve_speed_m_s": 1.0}, "eve_speed_m_s needs an eve_area_m with room to move, got a point"),
    ],
)
def test_bad_arguments(arguments, said):
    with pytest.raises(ValueError, match=said):
        gymnasium.make(ID, scenario="small", **arguments)


def test_instances_of_ones_own_do_not_move():
    own = sample_instance("small", 0, 4)
    with pytest.raises(ValueError, match=r"mobility moves networks that are drawn.*leave one of the two out"):
        gymnasium.make(ID, instances=own, mobility="gauss-markov")


def test_tasks_are_the_latency_limit_apart_unless_said():
    rules = gymnasium.make(ID, scenario="small", mobility="gauss-markov").unwrapped._rules
    assert rules.moving == Mobility(speed_m_s=1.0, eve_speed_m_s=0.0, task_interval_s=3000.0, velocity_memory_s=30.0)
    assert gymnasium.make(ID, scenario="small").unwrapped._rules.moving is None

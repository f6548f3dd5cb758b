"""One selection where jammers are needed: the bound is below every energy, and designs come close to it."""

import dataclasses
import itertools
import math

import numpy as np
import pytest

from secagent_env import Decision, Instance, Scenario, evaluate, sample_instance
from secagent_env.model.physics import downlink_sinr
from solvers.certificate.requirements import TOLERANCE
from solvers.certificate.uplink import uplink_powers
from solvers.jamming.box import Arc, Box, Lag
from solvers.jamming.design import Designer, _best_draw, _Tangents
from solvers.jamming.dual import Dual, SmallSDP
from solvers.jamming.problem import SetProblem
from solvers.jamming.relaxation import _lag, _Program, relax
from solvers.jamming.search import SetBoxes
from solvers.numerics.barrier import minimise


def search(instance: Instance, selection: np.ndarray, steps: int, cutoff_j: float = math.inf):
    """Return the boxes after so many steps, and the best decision found and its energy."""
    boxes = SetBoxes(instance, selection, cutoff_j=cutoff_j)
    best, energy = None, cutoff_j
    while not boxes.done and boxes.steps < steps:
        for decision in boxes.step(energy):
            outcome = evaluate(instance, decision)
            if outcome.feasible and outcome.energy_j < energy:
                best, energy = decision, float(outcome.energy_j)
    return boxes, best, energy


@pytest.fixture(scope="module")
def contested():
    instance = sample_instance(Scenario.preset("contested"), 0)
    selection = np.isin(np.arange(30), [4, 12, 18, 21, 27])  # cheap, and secret beside jammers only
    return instance, selection, *search(instance, selection, 60)


def test_bound_and_best_design_are_close_where_jammers_are_needed(contested):
    _, selection, boxes, best, energy = contested
    assert (best.selection == selection).all()
    assert boxes.lower_j <= energy
    assert boxes.lower_j > energy * (1 - 3e-3)
    jamming = energy - boxes.problem.base_j
    assert jamming > 0.05 * energy  # there is something to prove


def place(instance: Instance, decision: Decision) -> tuple[float, float, float, float]:
    """Return downlink and uplink time, the eavesdroppers' SINR, and the jammers' energy."""
    outcome = evaluate(instance, decision)
    heard = float(downlink_sinr(instance, decision)[1].max())
    times = float(outcome.downlink_time_s), float(outcome.uplink_time_s)
    return *times, heard, float(decision.power_w[~decision.selection].sum()) * sum(times)


@pytest.mark.parametrize("width", [1.0, 1.01, 1.3, 4.0])
@pytest.mark.parametrize("inverse", [True, False])
def test_no_box_proves_more_than_a_decision_in_it_needs(contested, width, inverse):
    instance, _, boxes, best, _ = contested
    time_s, uplink_s, heard, spent = place(instance, best)
    value = 1 / heard if inverse else heard
    for share in (0.0, 0.5, 1.0):  # where in the box the decision lies
        low, high = width**-share, width ** (1 - share)
        box = Box(
            (time_s * low, time_s * high), (uplink_s * low, uplink_s * high), (value * low, value * high), inverse
        )
        bound = relax(boxes.problem, box, 2 * spent).bound_j
        assert bound <= spent * (1 + 1e-9)
        if width <= 1.01:
            assert bound > 0.9 * spent  # a term less, and this box is no longer tight
        known = relax(boxes.problem, box, 2 * spent, 0.9 * bound).bound_j
        assert bound * (1 - 1e-3) - 1e-3 * spent <= known <= spent * (1 + 1e-9)


def test_what_was_known_before_counts_along_the_downlink_time(contested):
    _, _, boxes, best, _ = contested
    time_s, uplink_s, heard, spent = place(contested[0], best)
    box = Box((0.8 * time_s, time_s), (0.9 * uplink_s, 1.1 * uplink_s), (0.9 / heard, 1.1 / heard), inverse=True)
    bounds = [relax(boxes.problem, box, 2 * spent, before * spent).bound_j for before in (0.0, 0.7)]
    assert bounds[1] > bounds[0] * 1.001
    assert bounds[1] <= spent


def small(seed: int, **fields) -> Instance:
    shape = {"num_agents": 2, "num_antennas": 1, "num_eavesdroppers": 1, "min_selected": 1, "min_accuracy": 0.0}
    return sample_instance(Scenario.preset("contested", **shape | {"compute_power_w": (1e-6, 1e-5)} | fields), seed)


def brute_force(instance: Instance) -> float:
    """Return the least energy of agent 0 as sender and agent 1 as jammer, beside one antenna and one eavesdropper."""
    scenario = instance.scenario
    jammer = np.logspace(-12, math.log10(scenario.max_power_w), 300)[:, None, None]
    beam = np.logspace(-6, 0, 50)[:, None]
    heard = instance.bs_gain[1] * jammer + scenario.noise_power_w
    level = np.logspace(-6, 3, 50) * heard / instance.bs_gain[0]
    shape = np.broadcast_shapes(jammer.shape, beam.shape, level.shape)
    power = np.stack([np.broadcast_to(level, shape), np.broadcast_to(jammer, shape)], axis=-1)
    amplitude = np.broadcast_to(np.sqrt(scenario.bs_power_w * beam), shape)[..., None]
    selection = np.broadcast_to([True, False], power.shape)
    outcome = evaluate(instance, Decision(selection=selection, beamformer=amplitude + 0j, power_w=power))
    return float(np.where(outcome.feasible, outcome.energy_j, np.inf).min())


@pytest.mark.slow
@pytest.mark.parametrize(("bits", "tokens"), [(2e9, 32), (5e9, 20_000)])
def test_bound_of_one_antenna_meets_a_search_over_all_powers(bits, tokens):
    for seed in range(60):
        instance = small(seed, knowledge_bits=bits, output_tokens=tokens)
        if instance.gain_eve[0, 0] < instance.bs_gain[0] or instance.gain_eve[1, 0] < 3 * instance.bs_gain[1]:
            continue  # nobody needs to jam, or the other one cannot
        selection = np.array([True, False])
        energy = brute_force(instance)
        if math.isinf(energy):
            continue
        boxes, _, found = search(instance, selection, 150, cutoff_j=1.001 * energy)
        assert 0.8 * energy < min(boxes.lower_j, found) <= energy
        assert tokens > 1000 or found < energy
        return
    raise AssertionError("no instance needs a jammer and can be served")


def test_bound_is_below_all_decisions_near_the_best(contested):
    instance, selection, boxes, _, energy = contested
    scenario = instance.scenario  # at the limit hardly any decision near the best is feasible
    hasty = scenario.replace(latency_limit_s=scenario.latency_limit_s * 0.9999)
    _, best, _ = search(dataclasses.replace(instance, scenario=hasty), selection, 8, 1.01 * energy)
    rng = np.random.default_rng(0)
    count, agents, antennas = 4000, len(selection), len(best.beamformer)
    spread = 10.0 ** rng.uniform(-6, -1, (count, 1))
    noise = rng.standard_normal((count, antennas)) + 1j * rng.standard_normal((count, antennas))
    limit = math.sqrt(instance.scenario.bs_power_w)
    beam = best.beamformer + limit * spread * noise
    beam *= limit / np.maximum(np.linalg.norm(beam, axis=1, keepdims=True), limit)
    power = best.power_w * np.exp(spread * rng.standard_normal((count, agents)))
    near = Decision(selection=np.broadcast_to(selection, (count, agents)), beamformer=beam, power_w=power)
    outcome = evaluate(instance, near)
    assert outcome.feasible.sum() > 10
    assert (outcome.energy_j[outcome.feasible] >= boxes.lower_j).all()


def needed(ratios: np.ndarray, rate: float, shares: np.ndarray) -> np.ndarray:
    """Return θ' (·, E) beside which senders of shares (·, K) meet κ = 1 + rate at every eavesdropper."""
    with np.errstate(divide="ignore", invalid="ignore"):
        room = 1 + rate - rate / shares  # r / θ is at most this
        theta = np.where(room[..., None] > 0, ratios / room[..., None], np.inf).max(axis=-2)
        return (theta - shares @ ratios) / (1 - shares.sum(axis=-1, keepdims=True))


@pytest.mark.parametrize("uplink_s", [1e-3, 1e-2, 1.0])
def test_needs_of_the_uplink_are_those_of_the_best_shares(uplink_s):
    instance = sample_instance(Scenario.preset("contested", num_agents=4, num_eavesdroppers=2, min_selected=2), 3)
    problem = SetProblem.of(instance, np.array([True, True, False, False]))
    rate = math.expm1(problem.uplink_exponent_s / uplink_s)
    grid = np.logspace(math.log10(rate / 2), math.log10(0.999), 400)
    shares = np.array([pair for pair in itertools.product(grid, grid) if sum(pair) < 1])
    for ratios in (np.array([[1.0, 0.2], [0.3, 2.0]]), np.array([[5.0, 4.0], [0.1, 0.2]])):
        problem = dataclasses.replace(problem, ratios=ratios)
        best = np.nanmin(needed(ratios, rate, shares), axis=0)
        least = problem.least_ratio(uplink_s)
        assert (least <= best).all()
        assert (least - ratios.max(axis=0) > 0.95 * (best - ratios.max(axis=0)) - 1e-9).all()
        together = problem.least_sum([0, 1], uplink_s)
        assert (together is None) == (ratios[0, 0] == 5.0)  # the first one is the worst at both
        if together is not None:
            weight, total = together
            reached = np.nanmin(needed(ratios, rate, shares) @ weight)
            assert total <= reached
            assert total - 2 > (0.4 if uplink_s < 1e-2 else 0.6) * (reached - 2)


@pytest.fixture(scope="module")
def hurried():
    """The cheapest set of a network whose latency binds: nobody's jamming helps its uplink."""
    instance = sample_instance("tight-latency", 309)
    selection = np.isin(np.arange(30), [2, 4, 7, 18, 19, 21, 23, 29])
    return instance, selection, SetProblem.of(instance, selection)


def test_the_uplink_takes_as_long_as_without_jammers_where_these_only_disturb_it(hurried):
    instance, selection, problem = hurried
    assert problem.curbed
    assert uplink_powers(instance, selection, problem.uplink_s * (1 + 1e-4)) is not None
    assert uplink_powers(instance, selection, problem.uplink_s * (1 - 1e-4)) is None


def test_jammers_are_as_loud_as_the_uplink_allows_and_no_louder(hurried):
    instance, selection, problem = hurried
    time_s = 1.03 * problem.uplink_s
    kappa, ratio = math.exp(problem.uplink_exponent_s / time_s), problem.ratios[:, 0]
    theta = np.linspace(ratio.max(), 1.0, 20_001)[1:, None]
    shares = (kappa - 1) / (kappa - ratio / theta)
    spare = 1 - shares.sum(axis=1)
    needed = np.where(spare > 0, (theta[:, 0] - shares @ ratio) / np.where(spare > 0, spare, 1.0), np.inf)
    best = np.argmin(needed)
    rng = np.random.default_rng(0)
    for size in (0.0, 0.5, 0.99, 1.01, 1.5):
        for _ in range(10):
            jammers = size * rng.dirichlet(np.full(len(problem.jammers), 0.3)) * problem.curb_w(time_s)
            power = np.zeros(30)
            heard = instance.scenario.noise_power_w * (1 + problem.at_bs @ jammers)
            power[selection] = shares[best] / spare[best] * heard / instance.bs_gain[selection]
            power[problem.jammers] = jammers
            beam = np.sum(instance.channel_bs[selection], axis=0) * 1e-3
            outcome = evaluate(instance, Decision(selection=selection, beamformer=beam, power_w=power))
            reached = float(outcome.uplink_time_s)
            assert (reached <= time_s * (1 + 1e-6)) == (size < 1)
            assert reached >= problem.uplink_s


def test_boxes_of_free_jammers_are_not_cut_along_the_uplink(hurried):
    problem = hurried[-1]
    box = Box((50.0, 50.5), (problem.uplink_s, 57.5), (1.0, 1.001), inverse=True)
    shorter, longer = box.parts(problem)
    assert (shorter.time_s, longer.time_s[0]) == ((50.0, 50.25), 50.25)
    assert shorter.uplink_s == box.uplink_s
    assert longer.uplink_s[1] == pytest.approx(problem.total_s - 50.25)
    assert Box((51.0, 60.0), box.uplink_s, box.range, inverse=True).parts(problem) == []  # too late for the uplink


def small_program(vectors, signs, matrix, right, cost, most, trace) -> SmallSDP:
    """Return a program whose first rows see W along vectors, and one more sees −tr W."""
    count, dimension = vectors.shape
    gather = np.zeros((count + 1, count + dimension))
    gather[np.arange(count), np.arange(count)] = signs
    gather[count, count:] = -1.0
    seen = np.concatenate([vectors, np.eye(dimension)])
    return SmallSDP(seen, gather, matrix, right, cost, most, 3, slice(count, count + 1), 2, trace)


def test_any_multipliers_prove_a_bound():
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((4, 3)) + 1j * rng.standard_normal((4, 3))
    signs = np.array([1.0, 1.0, -1.0, -1.0])
    matrix = rng.standard_normal((9, 5))
    matrix[-2:] = 0.0
    matrix[[-2, -1], [3, 4]] = -1.0
    for _ in range(50):
        root = rng.standard_normal((3, 3)) + 1j * rng.standard_normal((3, 3))
        w = root @ root.conj().T
        w /= np.trace(w).real / rng.uniform(0.1, 1.0)
        x = rng.uniform(0, 1, 5)
        x[:3] /= x[:3].sum() / rng.uniform(0.1, 1.0)
        seen = np.einsum("qd,de,qe->q", vectors.conj(), w, vectors).real
        left = matrix @ x + np.concatenate([signs * seen, [-np.trace(w).real], np.zeros(4)])
        right = left - rng.exponential(0.1, 9) * rng.integers(0, 2, 9)
        right[-2:] = -1.0
        program = small_program(vectors, signs, matrix, right, rng.uniform(0, 1, 5), np.ones(5), 1.0)
        value = float(program.cost @ x)
        for scale in (0.1, 1.0, 10.0):
            assert program.bound(scale * rng.standard_normal(9)) <= value
        y = minimise(Dual(program, 10.0), Dual(program, 10.0).start(), gap=1e-3)
        assert program.bound(y) <= value
        assert program.bound(y) == pytest.approx(float(program.right @ y), abs=1e-9)


def point_in(program: _Program, box: Box, beam: np.ndarray, power: np.ndarray, place: tuple[float, ...]):
    """Return the rows' slack, relative to their size, at the point that a decision is; the trace of W, and x.

    ``beam`` (L,) is w, in the unit of the program, ``power`` (M,) the jammers', ``place`` u or b, and T.
    """
    sdp = program.sdp
    ends = (box.range, box.time_s)
    x = np.append(
        power / program.unit_w, [(at - low) / (high - low) for at, (low, high) in zip(place, ends, strict=True)]
    )
    x = np.append(x, np.zeros(len(sdp.cost) - len(x)))  # nothing is forgone
    lifted = beam
    if box.arcs:
        lifted = np.append(beam, math.sqrt(box.range[1] if box.inverse else 1.0))
    left = sdp.matrix @ x
    left[: len(sdp.gather)] += sdp.gather @ np.abs(sdp.vectors.conj() @ lifted) ** 2
    size = np.abs(sdp.right) + np.abs(sdp.matrix) @ x
    size[: len(sdp.gather)] += np.abs(sdp.gather) @ np.abs(sdp.vectors.conj() @ lifted) ** 2
    return (left - sdp.right) / size, np.linalg.norm(lifted) ** 2, x


@pytest.mark.parametrize("inverse", [True, False])
@pytest.mark.parametrize("arcs", [False, True])
def test_every_decision_in_a_box_is_a_point_of_its_program(contested, inverse, arcs):
    instance, selection, boxes, best, _ = contested
    problem, scenario = boxes.problem, instance.scenario
    rng = np.random.default_rng(2)
    for _ in range(200):
        turn = rng.standard_normal((2, len(best.beamformer))) * 10.0 ** rng.uniform(-5, -2)
        beam = best.beamformer + math.sqrt(scenario.bs_power_w) * (turn[0] + 1j * turn[1])
        beam *= math.sqrt(scenario.bs_power_w) / np.linalg.norm(beam)
        power = best.power_w * np.exp(0.3 * rng.standard_normal(len(selection)))
        decision = Decision(selection=selection, beamformer=beam, power_w=power)
        time_s, uplink_s, heard, spent = place(instance, decision)
        if not math.isfinite(time_s + uplink_s):
            continue
        value = 1 / heard if inverse else heard
        ends = [(exact / 3 ** rng.uniform(0, 1), exact * 3 ** rng.uniform(0, 1)) for exact in (time_s, uplink_s, value)]
        v = beam / math.sqrt(scenario.bs_power_w * (1 + TOLERANCE)) * (math.sqrt(value) if inverse else 1.0)
        phase = np.angle(problem.users.conj() @ v)
        v = v * np.exp(-1j * phase[0])
        half = rng.uniform(0, 1, len(phase)) * math.pi / 2
        around = (phase - phase[0] + half * rng.uniform(-1, 1, len(phase)), half)
        box = Box(*ends, inverse=inverse)
        if arcs:
            turned = [Arc(k, float(around[0][k]), float(half[k])) for k in range(1, len(phase))]
            box = dataclasses.replace(box, arcs=(Arc(0, 0.0, 0.0), *turned))
        program = _Program.of(problem, box, 2 * spent, spent * rng.uniform(0, 1))
        slack, trace, x = point_in(program, box, v, power[problem.jammers], (value, time_s))
        assert (slack >= -1e-8).all()
        assert trace <= program.sdp.trace
        assert program.sdp.cost @ x * 2 * spent <= spent * (1 + 1e-9)


def test_the_program_of_phases_is_tight():
    """At the ends of arcs and of the range a decision leaves no slack in the rows of its phases."""
    instance = sample_instance("tight-latency", 309)
    problem = SetProblem.of(instance, np.isin(np.arange(30), [2, 4, 7, 18, 19, 21, 23, 29]))
    rng = np.random.default_rng(0)
    time_s, value, half = 49.0, 0.003, 0.7
    need = problem.excess(time_s) + (1 + problem.excess(time_s)) * value
    phase = rng.uniform(0, 2 * math.pi, 8)
    phase[0] = 0.0
    w = np.linalg.lstsq(problem.users.conj(), math.sqrt(need) * np.exp(1j * phase), rcond=None)[0]
    arcs = (Arc(0, 0.0, 0.0), *(Arc(k, float(phase[k] + half * (-1) ** k), half) for k in range(1, 8)))
    for ends in ((value, 1.01 * value), (0.0, value)):
        box = Box((0.99 * time_s, time_s), (problem.uplink_s, problem.total_s - time_s), ends, inverse=False, arcs=arcs)
        program = _Program.of(problem, box, 1.0, 0.0)
        slack, *_ = point_in(program, box, w, np.zeros(len(problem.jammers)), (value, time_s))
        rows = slice(program.sdp.walls.stop, program.sdp.walls.stop + 8)
        assert slack[rows] == pytest.approx(0, abs=1e-9)
        covariance, beam = program.seen.plain(np.outer(np.append(w, 1.7), np.append(w, 1.7).conj()))
        assert covariance == pytest.approx(np.outer(w, w.conj()))
        assert beam == pytest.approx(w)


def test_phases_are_cut_up_where_a_single_beam_lags_behind():
    box = Box((50.0, 50.001), (57.0, 57.7), (0.0, 1e-3), inverse=False)
    instance = sample_instance("tight-latency", 309)
    problem = SetProblem.of(instance, np.isin(np.arange(30), [2, 4, 7, 18, 19, 21, 23, 29]))
    lag = Lag(0.5, reference=3, user=1)
    quarters = box.parts(problem, lag)
    assert [part.arcs[0] for part in quarters] == [Arc(3, 0.0, 0.0)] * 4
    ends = sorted(
        (part.arcs[1].centre - part.arcs[1].half, part.arcs[1].centre + part.arcs[1].half) for part in quarters
    )
    assert np.ravel(ends) == pytest.approx(np.array([0, 1, 1, 2, 2, 3, 3, 4]) * math.pi / 2)
    first, second = quarters[1].parts(problem, lag)
    assert (first.arcs[0], second.arcs[0]) == (Arc(3, 0.0, 0.0), Arc(3, 0.0, 0.0))
    low, high = (part.arcs[1] for part in (first, second))
    assert (low.centre - low.half, low.centre + low.half) == pytest.approx((math.pi / 2, 0.75 * math.pi))
    assert (high.centre - high.half, high.centre + high.half) == pytest.approx((0.75 * math.pi, math.pi))
    assert {part.arcs[2].user for part in first.parts(problem, Lag(0.5, 0, 6))} == {6}
    assert len(box.parts(problem, Lag(1e-3, 3, 1))) == 2  # no lag to speak of
    wide = Box((49.0, 50.001), (57.0, 58.7), (0.0, 1e-3), inverse=False)
    assert all(not part.arcs for part in wide.parts(problem, lag))


def test_of_one_beam_nobody_lags_behind():
    rng = np.random.default_rng(0)
    users = rng.standard_normal((4, 3)) + 1j * rng.standard_normal((4, 3))
    box = Box((1.0, 2.0), (1.0, 2.0), (0.0, 1.0), inverse=False)
    beam = users.sum(axis=0)
    lag = _lag(users, box, np.outer(beam, beam.conj()), None)
    assert lag.size <= 1e-9
    users /= np.linalg.norm(users, axis=1, keepdims=True)
    lag = _lag(users, box, np.eye(3), None)  # of agent n's beam the others receive |h_kᴴ h_n|²
    given = np.abs(users.conj() @ users.T) ** 2
    assert lag.size == pytest.approx(-math.log(given[lag.user, lag.reference]))
    assert given[lag.user, lag.reference] == given[:, lag.reference].min()
    assert np.log(given[:, lag.reference]).sum() == pytest.approx(np.log(given).sum(axis=0).max())
    beam = 0.5 * users[0]
    arcs = dataclasses.replace(box, arcs=(Arc(int(np.argmin(np.abs(users.conj() @ beam))), 0.0, 0.0),))
    behind = _lag(users, arcs, np.eye(3), beam)
    others = np.delete(np.abs(users.conj() @ beam) ** 2, arcs.arcs[0].user)
    assert behind.size == pytest.approx(-math.log(others.min()))


def test_multipliers_prove_no_less_than_is_true():
    """Outside the cone too: the bound is attained by the worst W and x of their size."""
    rng = np.random.default_rng(3)
    for _ in range(50):
        vectors = rng.standard_normal((4, 3)) + 1j * rng.standard_normal((4, 3))
        signs = np.array([1.0, 1.0, -1.0, -1.0])
        matrix, cost, most = rng.standard_normal((9, 5)), rng.uniform(0, 1, 5), rng.uniform(0.5, 2.0, 5)
        most[:3] = most[0]
        y = rng.exponential(1.0, 9)
        slack = y[4] * np.eye(3) - np.einsum("q,qi,qj->ij", y[:4] * signs, vectors, vectors.conj())
        values, turned = np.linalg.eigh(slack)
        w = 2.0 * np.outer(turned[:, 0], turned[:, 0].conj()) * (values[0] < 0)
        reduced = cost - y @ matrix
        x = np.where(reduced < 0, most, 0.0)
        x[:3] *= np.arange(3) == np.argmin(reduced[:3])
        seen = signs * np.einsum("qd,de,qe->q", vectors.conj(), w, vectors).real
        right = matrix @ x + np.concatenate([seen, [-np.trace(w).real], np.zeros(4)])
        program = small_program(vectors, signs, matrix, right, cost, most, 2.0)
        assert program.bound(y) == pytest.approx(float(cost @ x), abs=1e-9)
        assert program.bound(y) <= cost @ x


def numerical(function, z: np.ndarray, step: float) -> np.ndarray:
    """Central differences of a function (n,) -> (...) along each coordinate, in steps relative to its size."""
    steps = step * np.maximum(np.abs(z), 1e-3)
    return np.stack([(function(z + d) - function(z - d)) / (2 * d.sum()) for d in np.diag(steps)])


def check_derivatives(program, z: np.ndarray, sharpness: float) -> None:
    """The gradient and the Hessian of a barrier function are those of its values."""

    def barrier(z: np.ndarray) -> float:
        value, slack = program.values(z)
        assert (slack > 0).all()
        return sharpness * value - float(np.log(slack).sum())

    gradient, hessian = program.newton(z, sharpness)
    size = np.sqrt(np.diagonal(hessian))
    assert (numerical(barrier, z, 1e-6) - gradient) / size == pytest.approx(0, abs=1e-4)
    change = numerical(lambda z: program.newton(z, sharpness)[0], z, 1e-6)
    assert (change - hessian) / np.outer(size, size) == pytest.approx(0, abs=1e-4)


def test_derivatives_of_the_dual():
    rng = np.random.default_rng(4)
    vectors = rng.standard_normal((4, 3)) + 1j * rng.standard_normal((4, 3))
    matrix = rng.standard_normal((9, 5))
    matrix[-2:] = 0.0
    matrix[[-2, -1], [3, 4]] = -1.0
    right = np.append(rng.standard_normal(7), [-1.0, -1.0])
    program = small_program(vectors, np.array([1.0, 1, -1, -1]), matrix, right, rng.uniform(0, 1, 5), np.ones(5), 1.0)
    dual = Dual(program, 4.0)
    for sharpness in (1.0, 100.0):
        check_derivatives(dual, dual.start() * rng.uniform(1, 1.01, 9), sharpness)


@pytest.fixture(scope="module")
def near_best(contested):
    """A relaxed solution near the best decision, and that decision's place."""
    instance, _, boxes, best, _ = contested
    time_s, uplink_s, heard, spent = place(instance, best)
    ends = [(0.99 * at, 1.01 * at) for at in (time_s, uplink_s, 1 / heard)]
    return relax(boxes.problem, Box(*ends, inverse=True), 2 * spent), time_s, heard, spent


def test_derivatives_of_a_step_of_the_design(contested, near_best):
    instance, selection, boxes, best, _ = contested
    relaxed, time_s, heard, _ = near_best
    designer = Designer(instance, selection, boxes.problem)
    senders = designer._fastest(relaxed.power_w)
    rows = boxes.problem.uplink_rows(np.eye(len(senders.least)), senders.least)
    x = best.beamformer / math.sqrt(instance.scenario.bs_power_w * heard)
    power = best.power_w[boxes.problem.jammers] + 1e-9
    program = _Tangents(boxes.problem, rows, time_s, x, power, 1 / heard)
    check_derivatives(program, program.start(), 10.0)
    program.most = program.start()[2 * program.dimension : -2] + 0.01  # as loud as they can be
    check_derivatives(program, program.start(), 10.0)


def test_the_best_draw_is_a_unit_vector_and_no_worse_than_the_principal_one(contested, near_best):
    problem, relaxed = contested[2].problem, near_best[0]
    beam, leaked = _best_draw(problem, relaxed.covariance, relaxed.power_w)
    assert np.linalg.norm(beam) == pytest.approx(1)

    def secrecy(v: np.ndarray) -> float:
        reached = np.abs(problem.users.conj() @ v) ** 2 / (1 + problem.at_user @ relaxed.power_w)
        heard = np.abs(problem.eves.conj() @ v) ** 2 / (1 + problem.at_eve @ relaxed.power_w)
        return float((1 + reached.min()) / (1 + heard.max()))

    assert secrecy(beam) >= secrecy(np.linalg.eigh(relaxed.covariance)[1][:, -1])
    wide = np.diag(np.linspace(0.9, 1.0, len(beam)))  # some draw is better than the principal one
    drawn, _ = _best_draw(problem, wide, relaxed.power_w)
    assert np.linalg.norm(drawn) == pytest.approx(1)
    assert secrecy(drawn) > secrecy(np.linalg.eigh(wide)[1][:, -1])
    assert leaked == pytest.approx(
        float((np.abs(problem.eves.conj() @ beam) ** 2 / (1 + problem.at_eve @ relaxed.power_w)).max())
    )


def test_designs_that_may_become_cheaper_than_the_cutoff_go_to_a_local_optimum(contested, near_best):
    instance, selection, boxes, _, energy = contested
    dear, promising = (
        Designer(instance, selection, boxes.problem).decisions(near_best[0], cutoff, lambda: None)
        for cutoff in (0.1 * energy, 2 * energy)
    )
    assert 0 < len(dear) < len(promising)


def test_sides_of_boxes_are_cut_in_the_middle(contested, hurried):
    problem = contested[2].problem
    times, uplinks = (problem.downlink_s, 1.0001 * problem.downlink_s), (problem.uplink_s, 1.0001 * problem.uplink_s)
    low, high = Box(times, uplinks, (1.0, 100.0), inverse=True).parts(problem)
    assert (low.range, high.range) == (pytest.approx((1.0, 10.0)), pytest.approx((10.0, 100.0)))
    assert low.inverse
    assert high.inverse
    low, high = Box(times, uplinks, (0.0, 50.0), inverse=False).parts(problem)
    assert (low.range, low.inverse) == ((0.0, 5.0), False)
    assert (high.range, high.inverse) == (pytest.approx((0.02, 0.2)), True)
    # Where jammers are free, u or b counts by how loud they may be, and by how far a root is from its chord.
    problem = hurried[-1]
    latest = problem.total_s - problem.uplink_s
    for early, most in ((latest - 1.0, 1.0), (latest - 0.001, 0.1)):
        box = Box((early, latest), (problem.uplink_s, problem.total_s - early), (1.0, 10.0), inverse=True)
        full = math.log(box.need(problem, latest, 10.0) / box.need(problem, latest, 1.0))
        loud = min(float((problem.at_user * problem.curb_w(box.uplink_s[1])).max()), 1.0)
        assert 0 < loud <= most
        assert box.widths(problem)[2] == pytest.approx(full * (loud + full / 16))


def test_boxes_of_free_jammers_hold_a_decision_or_none(hurried):
    instance, selection, problem = hurried
    slow = instance.replace(scenario=instance.scenario.replace(latency_limit_s=instance.scenario.latency_limit_s + 5))
    boxes = SetBoxes(slow, selection, cutoff_j=math.inf)
    assert boxes.problem.curbed
    late = boxes.problem.total_s - boxes.problem.uplink_s
    for time_s, served in (((late - 0.1, late), True), ((problem.downlink_s, problem.downlink_s + 0.1), False)):
        box = Box(time_s, (boxes.problem.uplink_s, boxes.problem.total_s - time_s[0]), (0.0, 1e-3), inverse=False)
        assert math.isinf(relax(boxes.problem, box, 1.0).bound_j) != served


def test_without_a_cutoff_jammers_may_spend_all_that_they_have(contested):
    instance, selection, boxes, *_ = contested
    problem = boxes.problem
    most = len(problem.jammers) * instance.scenario.max_power_w * problem.total_s
    assert SetBoxes(instance, selection, cutoff_j=math.inf).cutoff_j >= problem.base_j + most


def test_cutoff_says_what_is_of_interest(contested):
    instance, selection, boxes, _, energy = contested
    below, best, _ = search(
        instance, selection, 60, cutoff_j=boxes.problem.base_j + 0.8 * (energy - boxes.problem.base_j)
    )
    assert below.done
    assert math.isinf(below.lower_j)
    assert best is None


def test_the_uplink_counts_beside_an_eavesdropper_that_hears_nobody(contested):
    instance, selection, boxes, best, _ = contested
    time_s, uplink_s, heard, _ = place(instance, best)
    box = Box((time_s, time_s), (uplink_s, 4 * uplink_s), (1 / heard, 1 / heard), True)
    gain = instance.gain_eve.copy()
    gain[:, 0] = 0.0
    deaf = SetProblem.of(instance.replace(gain_eve=gain), selection)
    assert 0 < box.widths(deaf)[1] <= box.widths(boxes.problem)[1]
    assert all(half.uplink_s != box.uplink_s for half in box.parts(deaf))


def test_no_bound_is_sought_beyond_the_limit(contested):
    instance, selection, _, _, energy = contested
    base = SetBoxes(instance, selection, cutoff_j=math.inf).problem.base_j
    boxes = SetBoxes(instance, selection, cutoff_j=math.inf, limit_j=base + 0.3 * (energy - base))
    for share in (0.3, 0.9):
        boxes.limit_j = base + share * (energy - base)
        while boxes.lower_j < boxes.limit_j * (1 - 1e-9):
            boxes.relax()
        assert boxes.lower_j == pytest.approx(boxes.limit_j, rel=1e-9)
        assert not boxes.done
        assert boxes.lower_j < energy
    assert boxes.steps < 40


def test_nobody_left_to_jam_and_a_dead_channel():
    instance = small(0, num_agents=2, min_selected=2)
    boxes, _, energy = search(instance, np.array([True, True]), 30)
    assert boxes.done or boxes.lower_j <= energy
    channel = instance.channel_bs.copy()
    channel[0] = 0.0
    assert SetBoxes(dataclasses.replace(instance, channel_bs=channel), np.array([True, False]), cutoff_j=1.0).done

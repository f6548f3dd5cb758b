"""LAW: designs and proposals, the evaluation's words, the workflow, its ablations, and what replies cannot do."""

import json
import math
import random
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from faulty_server import FaultyServer, fails, hangs, says, unused_port
from hostile_replies import hostile_reply
from hypothesis import given, settings
from hypothesis import strategies as st

import solvers
from eval.compare.rows import result_of
from secagent_env import Decision, Scenario, evaluate, sample_instance
from solvers.interface.base import SolverRun
from solvers.law import perturbing_standin
from solvers.law.designs import Design, Translator, Unusable
from solvers.law.evaluation import complain, score
from solvers.law.neighbours import anywhere, neighbour
from solvers.law.prompts import examples_in, facts, facts_in
from solvers.law.proposals import PROPOSALS
from solvers.llm.chat import EndpointError, Message, NotRecorded
from solvers.llm.server import StandinServer
from solvers.llm.structured import parse

SMALL = Scenario(num_agents=8, num_antennas=4, min_selected=3)
QUICK = {"rounds": 2, "iterations": 4, "candidates": 20}
DIRECTIONS = ("matched", "filtered", "zero-forcing", "weakest")

decibels = st.floats(-80, 20).map(lambda value: round(value, 2) + 0.0)
agents = st.lists(st.integers(0, 7), unique=True, max_size=8).map(sorted).map(tuple)


@st.composite
def designs(draw):
    selected = draw(agents)
    names = draw(st.lists(st.sampled_from(DIRECTIONS), unique=True, min_size=1))
    idle = [agent for agent in range(8) if agent not in selected]
    jammers = draw(st.lists(st.sampled_from(idle), unique=True)) if idle else []
    return Design(
        selected=selected,
        power_dbm=draw(decibels),
        weights=tuple((name, draw(decibels), draw(decibels)) for name in names),
        level_db=tuple(draw(st.lists(decibels, min_size=8, max_size=8))),
        jammer_dbm=tuple((agent, draw(decibels)) for agent in sorted(jammers)),
    )


@pytest.fixture(scope="module")
def instance():
    return sample_instance(SMALL, seed=5)


@pytest.fixture(scope="module")
def solution(instance):
    return solvers.make("law", **QUICK).solve(instance, seed=3)


# --- Designs, proposals, decisions ---------------------------------------------------------------------------


@given(design=designs(), sub_problem=st.sampled_from(sorted(PROPOSALS)))
def test_an_answer_maps_back_without_loss(design, sub_problem):
    text = design.proposal(PROPOSALS[sub_problem]).to_json()
    proposal = parse(text, PROPOSALS[sub_problem])
    if sub_problem == "powers" and design.selected:  # whoever is not selected would send like those who are
        common = round(float(np.median([design.level_db[agent] for agent in design.selected])), 2) + 0.0
        levels = tuple(db if agent in design.selected else common for agent, db in enumerate(design.level_db))
        design = Design(design.selected, design.power_dbm, design.weights, levels, design.jammer_dbm)
    if sub_problem != "powers" or design.selected:
        assert design.replaced(proposal, DIRECTIONS) == design
    assert proposal.to_json() == text


def test_a_design_is_the_decision_that_its_numbers_say(instance):
    design = Design(
        (1, 4, 6), 30.0, (("matched", 0.0, 90.0),), (0.0, 3.0, 0.0, 0.0, -20.0, 0.0, 10.0, 0.0), ((2, 20.0),)
    )
    decision = Translator(instance).decision([design])[0]
    assert np.flatnonzero(decision.selection).tolist() == [1, 4, 6]
    assert np.linalg.norm(decision.beamformer) ** 2 == pytest.approx(1.0)  # 30 dBm
    towards = sum(instance.channel_bs[n] / np.linalg.norm(instance.channel_bs[n]) for n in (1, 4, 6))
    assert decision.beamformer == pytest.approx(1j * towards / np.linalg.norm(towards))
    noise, gain = SMALL.noise_power_w, instance.bs_gain
    expected = np.zeros(8)
    expected[[1, 4, 6]] = np.array([10**0.3, 10**-2, 10.0]) * noise / gain[[1, 4, 6]]
    expected[2] = 0.1  # 20 dBm
    assert decision.power_w == pytest.approx(expected, rel=1e-12)


def test_a_design_near_a_decision_costs_the_same(instance):
    exact = solvers.make("exact").solve(instance)
    translator = Translator(instance, exact.decision.beamformer)
    design = translator.design_of(exact.decision)
    outcome = evaluate(instance, translator.decision([design])[0])
    assert outcome.feasible
    assert float(outcome.transmission_energy_j) == pytest.approx(float(exact.outcome.transmission_energy_j), rel=0.01)
    assert float(outcome.execution_energy_j) == pytest.approx(float(exact.outcome.execution_energy_j), rel=1e-12)


@pytest.mark.parametrize(
    ("sub_problem", "answer", "complaint"),
    [
        ("selection", {"selected": [0, 1, 8]}, "numbered from 0 to 7"),
        ("selection", {"selected": [0, 1, 1]}, "agent 1 twice"),
        ("selection", {"selected": [10**30]}, "numbered from 0 to 7"),
        ("beam", {"power_dbm": 30, "weights": []}, "at least one direction"),
        (
            "beam",
            {"power_dbm": 30, "weights": [{"direction": "up", "amplitude_db": 0, "phase_deg": 0}]},
            "unknown direction 'up'",
        ),
        ("powers", {"senders": [{"agent": 1, "snr_db": 0}], "jammers": []}, "missing: 4, 6"),
        (
            "powers",
            {"senders": [{"agent": n, "snr_db": 0} for n in (1, 4, 6)], "jammers": [{"agent": 4, "power_dbm": 0}]},
            "agent 4, who computes",
        ),
    ],
)
def test_an_answer_of_the_right_form_can_still_be_unusable(sub_problem, answer, complaint):
    design = Design((1, 4, 6), 30.0, (("matched", 0.0, 0.0),), (0.0,) * 8)
    proposal = parse(json.dumps(answer), PROPOSALS[sub_problem])
    with pytest.raises(Unusable, match=complaint):
        design.replaced(proposal, DIRECTIONS)


def test_agents_that_do_not_compute_would_send_at_the_median_level():
    def levels(selected, senders):
        answer = {"senders": [{"agent": n, "snr_db": db} for n, db in senders.items()], "jammers": []}
        design = Design(selected, 30.0, (("matched", 0.0, 0.0),), (-3.0,) * 8)
        return design.replaced(parse(json.dumps(answer), PROPOSALS["powers"]), DIRECTIONS).level_db

    assert levels((1, 4, 6), {1: -9.0, 4: -2.0, 6: 5.0}) == (-2.0, -9.0, -2.0, -2.0, -2.0, -2.0, 5.0, -2.0)
    assert levels((), {}) == (0.0,) * 8


# --- The evaluation module -----------------------------------------------------------------------------------


def test_reminders_name_the_violated_constraint_and_by_how_much(instance):
    few = Decision(selection=np.arange(8) < 2, beamformer=np.zeros(4, complex), power_w=np.zeros(8))
    complaint = complain(instance, few, evaluate(instance, few), range(8))
    assert "Only 2 agents are selected, 3 are needed." in complaint
    assert "The downlink is not secret" in complaint
    assert "The uplink is not secret" in complaint

    loud = few.replace(beamformer=np.full(4, 10.0 + 0j), power_w=np.where(np.arange(8) == 5, 4.0, 1e-9))
    complaint = complain(instance, loud, evaluate(instance, loud), range(8))
    assert "The beam's power is 16.02 dB above the limit of 40.00 dBm" in complaint  # 400 W against 10 W
    assert "Agent 5 would transmit 36.02 dBm, 3.01 dB above the limit" in complaint  # 4 W against 2 W

    demanding = instance.replace(scenario=SMALL.replace(min_accuracy=0.99))
    decision = solvers.make("exact").solve(instance).decision
    outcome = evaluate(demanding, decision)
    mean = float(np.mean(instance.accuracy[decision.selection]))
    assert f"accuracy of the selected agents is {mean:.4f}, {0.99 - mean:.4f} below the limit of 0.99" in complain(
        demanding, decision, outcome, range(8)
    )

    hurried = instance.replace(scenario=SMALL.replace(latency_limit_s=10.0))
    outcome = evaluate(hurried, decision)
    over = float(outcome.latency_s) - 10
    assert f"{over:.4g} s above the limit of 10 s" in complain(hurried, decision, outcome, range(8))
    assert complain(instance, decision, evaluate(instance, decision), range(8)) == ""


def test_designs_are_ordered_by_f_then_by_their_violations_each_counted_once(instance):
    exact = Translator(instance).design_of(solvers.make("exact").solve(instance).decision)
    good = replace(exact, power_dbm=40.0, weights=(("filtered", 0.0, 0.0),))
    others = [agent for agent in range(8) if agent not in good.selected]
    dearer = replace(good, selected=(*good.selected, others[0]))
    few = replace(good, selected=good.selected[:2])
    fewer = replace(good, selected=good.selected[:1])
    loud = replace(good, power_dbm=43.0)

    def scores(instance, *designs):
        return score(SolverRun(instance, 0), Translator(instance), "selection", designs)

    order = [each.order for each in scores(instance, good, dearer, few, fewer, loud)]
    assert order[0] < order[1] < min(order[2:])
    assert [kind for kind, _ in order] == [0, 0, 1, 1, 1]
    assert order[0][1] == scores(instance, good)[0].f
    assert order[2][1] == pytest.approx(1 / 3)  # of three agents one is missing
    assert order[3][1] == pytest.approx(2 / 3)
    assert order[4][1] == pytest.approx(10**0.3 - 1)

    # Late, and with everything else met: the logarithm of latency over τ, once.
    latency = float(scores(instance, good)[0].outcome.latency_s)
    hurried = instance.replace(scenario=SMALL.replace(latency_limit_s=latency / 1.5))
    late, both = scores(hurried, good, few)
    assert late.order == (1, pytest.approx(np.log(1.5)))
    assert late.f == math.inf
    over = np.log(float(both.outcome.latency_s) / (latency / 1.5))
    assert both.order == (1, pytest.approx(1 / 3 + over))


# --- The workflow --------------------------------------------------------------------------------------------


def test_without_a_model_a_stand_in_that_says_so_finds_a_feasible_decision(instance, solution):
    assert solution.solver == "law (no LLM)"
    assert solution.outcome.feasible
    assert solution.outcome.energy_j == evaluate(instance, solution.decision).energy_j
    assert solution.usage["calls"] == len(solution.history) == 24
    assert solution.usage["cost"] is None
    assert not solution.usage["faults"]


def test_a_key_in_the_environment_is_not_consent_to_spend(instance, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-do-not-use")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    assert solvers.make("law", rounds=1, iterations=1).solve(instance).usage["fingerprints"] == ["secagent stand-in"]


def test_equal_seeds_give_equal_runs_and_others_do_not(instance, solution):
    again = solvers.make("law", **QUICK).solve(instance, seed=3)
    other = solvers.make("law", **QUICK).solve(instance, seed=4)
    replies = [[record["replies"] for record in s.history] for s in (solution, again, other)]
    assert replies[0] == replies[1] != replies[2]
    assert again.outcome.energy_j == solution.outcome.energy_j


def test_the_sub_problems_come_in_turn_and_the_best_example_never_gets_worse(solution):
    steps = [(record["round"], record["sub_problem"], record["step"]) for record in solution.history]
    parts = ("selection", "beam", "powers")
    assert steps == [(r, part, s) for r in (1, 2) for part in parts for s in range(1, 5)]
    for part in parts:
        for number in (1, 2):
            mine = [h["best_f"] for h in solution.history if (h["sub_problem"], h["round"]) == (part, number)]
            assert mine == sorted(mine, reverse=True)
    calls = [record["calls"] for record in solution.history]
    assert calls == list(range(1, 25))


def test_a_prompt_holds_the_task_its_parameters_the_form_and_what_was_found(instance, solution):
    late = [record for record in solution.history if record["step"] > 1]
    after_failure = next(h for h, before in zip(late[1:], late, strict=False) if before["verdict"] == "not better")
    system, user = (text for _, text in after_failure["prompt"])
    assert "base station" in system
    for part in ("Objective:", "Constraint", "Parameters: {", "Answer with one JSON object", "Best example so far:"):
        assert part in user
    assert "Expert examples:" in user
    assert "Reminder: Your last proposal" in user
    stated = facts_in(user)
    assert stated["agents"] == 8
    for text in examples_in(user):  # every example is an answer in the form that is asked for
        parse(text, PROPOSALS[stated["sub_problem"]])


def test_the_selection_prompt_lists_agents_from_the_cheapest(instance, solution):
    user = solution.history[0]["prompt"][1][1]
    lines = [line for line in user.splitlines() if line[:1].isdigit()]
    order = np.argsort(instance.execution_energy_j)
    assert [int(line.split(",")[1]) for line in lines] == order.tolist()
    assert float(lines[0].split(",")[2]) == pytest.approx(instance.execution_energy_j.min(), abs=0.05)


def test_ablations_leave_out_what_they_say(instance):
    def prompts(**options):
        history = solvers.make("law", **QUICK, **options).solve(instance, seed=3).history
        return "\n".join(record["prompt"][1][1] for record in history), history

    text, history = prompts(expert_search=False)
    assert "Expert examples" not in text
    assert history[-1]["evaluations"] <= 24 + 6  # a proposal a step, and the start of every sub-problem
    text, _ = prompts(reflection=False)
    assert "Reminder" not in text
    assert "Best example" in text
    text, _ = prompts(examples=False)
    assert "example" not in text


def test_several_proposals_a_step_are_asked_and_the_best_counts(instance):
    solution = solvers.make("law", rounds=1, iterations=2, proposals=3).solve(instance)
    assert [len(record["replies"]) for record in solution.history] == [3] * 6
    assert solution.usage["calls"] == 18
    assert len({reply for reply, _, _ in solution.history[0]["replies"]}) > 1


def test_jamming_can_be_ruled_out(instance):
    solution = solvers.make("law", **QUICK, jamming=False).solve(instance)
    assert not solution.decision.power_w[~solution.decision.selection].any()
    assert '"jamming": false' in solution.history[-1]["prompt"][1][1]


def test_a_start_is_taken_and_never_lost(instance):
    exact = solvers.make("exact").solve(instance)
    solution = solvers.make("law", **QUICK).solve(instance, start=exact.decision)
    assert solution.outcome.energy_j <= exact.outcome.energy_j
    assert '"direction": "given"' in "".join(h["prompt"][1][1] for h in solution.history if h["sub_problem"] == "beam")


def test_an_infeasible_instance_is_told_apart(instance):
    impossible = instance.replace(scenario=SMALL.replace(min_accuracy=1.0))
    solution = solvers.make("law", **QUICK).solve(impossible)
    assert solution.status == "infeasible"
    assert "accuracy" in solution.message
    assert solution.usage["calls"] == 0


def test_caps_end_the_run_with_the_best_so_far(instance):
    solution = solvers.make("law", **QUICK, max_calls=5).solve(instance)
    assert solution.usage["calls"] == 5
    assert solution.outcome.feasible
    assert "stopped after 5 calls" in solution.message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounds": 0}, "rounds must be an integer ≥ 1"),
        ({"examples": 1}, "examples must be True or False"),
        ({"candidates": 2.5}, "candidates must be an integer ≥ 1"),
        ({"base_url": "http://127.0.0.1:1/v1"}, "base_url needs model="),
        ({"max_cost": 1.0}, "max_cost needs prices"),
    ],
)
def test_bad_options_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        solvers.make("law", **options)


def test_on_the_paper_s_case_it_comes_near_asc():
    gaps = []
    for seed in range(60, 64):
        paper = sample_instance("paper", seed=seed)
        solution = solvers.make("law").solve(paper, seed=seed)
        assert solution.outcome.feasible
        gaps.append(solution.gap)
    assert np.mean(gaps) < 0.1


# --- The stand-in --------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), sub_problem=st.sampled_from(sorted(PROPOSALS)))
def test_neighbours_are_usable_and_nearly_always_new(seed, sub_problem):
    network, rng = sample_instance(SMALL, seed=5), np.random.default_rng(seed)
    translator = Translator(network)
    design = Design((1, 4, 6), 40.0, (("filtered", 0.0, 0.0),), (-10.0,) * 8, ((2, 3.0),))
    stated = facts(network, sub_problem, design, translator, True)
    old = design.proposal(PROPOSALS[sub_problem])
    near = [neighbour(old, stated, rng) for _ in range(10)]
    assert sum(new.to_json() != old.to_json() for new in near) >= 5
    new = near[0]
    for proposal in (new, anywhere(stated, rng)):
        changed = design.replaced(proposal, translator.directions)
        assert math.isfinite(float(np.sum(translator.decision([changed]).power_w)))


def drawn(answer: dict, sub_problem: str, number: int = 4000, **stated) -> list:
    """So many neighbours of an answer in a network of eight agents, of which 1, 4, 6 and 7 compute."""
    known = {"agents": 8, "select_at_least": 3, "computing": [1, 4, 6, 7], "directions": list(DIRECTIONS)}
    known |= {"jamming": True, "max_power_dbm": 30.0, **stated}
    rng, old = np.random.default_rng(0), parse(json.dumps(answer), PROPOSALS[sub_problem])
    return [neighbour(old, known, rng) for _ in range(number)]


def shares(values) -> dict:
    return {value: count / len(values) for value, count in Counter(values).items()}


def near(**expected: float):
    return pytest.approx({int(name[1:]): value for name, value in expected.items()}, abs=0.03)


def test_selections_are_varied_by_exchanges_mostly_of_one_agent():
    old = {1, 4, 6, 7}
    changes = [
        (len(set(new.selected)) - 4, len(old - set(new.selected)))
        for new in drawn({"selected": [1, 4, 6, 7]}, "selection")
    ]
    # One more of 10 %, one less of 20 %; of the others 70 % exchange one agent, and the second exchange may take the
    # agent that the first one brought.
    kinds = shares(changes)
    assert kinds == pytest.approx({(1, 0): 0.1, (-1, 1): 0.2, (0, 1): 0.7 * 0.775, (0, 2): 0.7 * 0.225}, abs=0.03)
    needed = drawn({"selected": [1, 4, 6]}, "selection")
    assert min(len(new.selected) for new in needed) == 3
    assert {agent for new in needed for agent in new.selected} == set(range(8))


def test_levels_are_varied_together_or_one_by_one_and_jammers_come_and_go():
    senders = [{"agent": agent, "snr_db": -10.0} for agent in (1, 4, 6, 7)]
    new = drawn({"senders": senders, "jammers": [{"agent": 2, "power_dbm": 3.0}]}, "powers")
    shifts = [np.array([sender.snr_db for sender in each.senders]) + 10 for each in new]
    jammers = [{jammer.agent: jammer.power_dbm for jammer in each.jammers} for each in new]
    assert shares([np.count_nonzero(shift) for shift in shifts]) == near(n0=0.3, n4=0.49, n1=0.21)
    together = [shift[0] for shift in shifts if np.count_nonzero(shift) == 4]
    alone = [shift.sum() for shift in shifts if np.count_nonzero(shift) == 1]
    assert (np.mean(together), np.std(together)) == pytest.approx((0, 5), abs=0.4)
    assert (np.mean(alone), np.std(alone)) == pytest.approx((0, 3), abs=0.4)
    # One of the four idle agents is the jammer that is there already.
    assert shares([len(each) for each in jammers]) == near(n0=0.075, n1=0.7 + 0.075 + 0.15 / 4, n2=0.15 * 3 / 4)
    added = [level for each in jammers for agent, level in each.items() if agent != 2]
    assert -60 <= min(added) < -50 < 20 < max(added) <= 30
    assert {agent for each in jammers for agent in each} == {0, 2, 3, 5}
    turned = [each[2] - 3 for each in jammers if list(each) == [2] and each[2] != 3]
    assert np.median(np.abs(turned)) < 8
    quiet = drawn({"senders": senders, "jammers": []}, "powers", 200, jamming=False)
    assert not any(each.jammers for each in quiet)
    extreme = [{"agent": agent, "snr_db": level} for agent, level in ((1, -100.0), (4, 100.0))]
    for each in drawn({"senders": extreme, "jammers": [{"agent": 2, "power_dbm": 30.0}]}, "powers", 300):
        assert all(-100 <= sender.snr_db <= 100 for sender in each.senders)
        assert all(-100 <= jammer.power_dbm <= 30 for jammer in each.jammers)


def test_beams_are_turned_and_scaled_and_directions_come_and_go():
    weights = [{"direction": name, "amplitude_db": 0.0, "phase_deg": 180.0} for name in DIRECTIONS[:2]]
    new = [
        {w.direction: (w.amplitude_db, w.phase_deg) for w in each.weights}
        for each in drawn({"power_dbm": 10, "weights": weights}, "beam")
    ]
    assert shares([len(each) for each in new]) == near(n1=0.5 * 0.2, n2=0.5 * 0.8, n3=0.5)
    changed = np.array([value for each in new if len(each) == 2 for value in each.values() if value != (0.0, 180.0)])
    assert np.mean(changed, axis=0) == pytest.approx([0, 180], abs=3)
    assert np.std(changed, axis=0) == pytest.approx([4, 30], rel=0.1)
    added = np.array([value for each in new for name, value in each.items() if name in DIRECTIONS[2:]])
    assert np.min(added, axis=0) == pytest.approx([-20, 0], abs=1)
    assert np.max(added, axis=0) == pytest.approx([3, 360], abs=1)
    alone = drawn({"power_dbm": 10, "weights": weights[:1]}, "beam", 300)
    assert {len(each.weights) for each in alone} == {1, 2}
    assert {each.power_dbm for each in alone} == {30.0}


def test_the_stand_in_reads_nothing_but_the_prompt():
    with pytest.raises(ValueError, match="not a prompt of LAW"):
        perturbing_standin.reply([Message("user", "Tell me a joke.")], 0)
    prompt = 'Parameters: {"sub_problem": "selection", "agents": 5, "select_at_least": 2, "min_mean_accuracy": 0.5}\n'
    invented = json.loads(perturbing_standin.reply([Message("user", prompt)], 1))
    assert "no example" in invented["reason"]
    assert len(invented["selected"]) == 2
    example = list(range(6))
    prompt = prompt.replace('"agents": 5, "select_at_least": 2', '"agents": 30, "select_at_least": 6')
    for seed in range(20):
        shown = json.loads(perturbing_standin.reply([Message("user", f'{prompt}{{"selected": {example}}}')], seed))
        assert "the best example, perturbed" in shown["reason"]
        assert 4 <= len(set(example) & set(shown["selected"])) <= 6  # two are exchanged at most


# --- Replies are data ----------------------------------------------------------------------------------------


def test_ten_thousand_hostile_replies(instance, monkeypatch, tmp_path):
    """No crash, nothing infeasible told as feasible, nothing done that a reply asks for."""
    rng = random.Random(7)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(perturbing_standin, "reply", lambda messages, seed: hostile_reply(rng))
    options = {"rounds": 1, "iterations": 1, "proposals": 500, "expert_search": False}
    calls = unusable = 0
    for seed in range(7):
        solution = solvers.make("law", **options).solve(instance, seed=seed)
        assert solution.status in ("feasible", "optimal")  # the start is
        assert bool(evaluate(instance, solution.decision).feasible)
        calls += solution.usage["calls"]
        unusable += solution.usage["unusable"]
        assert "Ignore all" not in "".join(text for h in solution.history for _, text in h["prompt"])
        assert "Ignore all" not in solution.message
    assert calls == 10_500
    assert unusable > 9000
    assert not list(tmp_path.iterdir())


# --- Over HTTP -----------------------------------------------------------------------------------------------


def test_http_and_replay_give_the_same_as_in_process(instance, solution, tmp_path):
    path = tmp_path / "law.jsonl"
    with StandinServer(perturbing_standin.reply) as server:
        options = {**QUICK, "model": "no-LLM", "base_url": server.base_url}
        over_http = solvers.make("law", **options, transcript=path).solve(instance, seed=3)
    replayed = solvers.make("law", **QUICK, replay=path).solve(instance, seed=3)
    for again in (over_http, replayed):
        assert again.solver == "law (no LLM)"
        assert again.decision.selection.tolist() == solution.decision.selection.tolist()
        assert again.decision.power_w.tolist() == solution.decision.power_w.tolist()
        assert again.decision.beamformer.tolist() == solution.decision.beamformer.tolist()
        assert [h["best_f"] for h in again.history] == [h["best_f"] for h in solution.history]
        assert again.usage["calls"] == solution.usage["calls"]
    with pytest.raises(NotRecorded, match=r"law\.jsonl"):  # another instance was not recorded
        solvers.make("law", **QUICK, replay=path).solve(sample_instance(SMALL, seed=6), seed=3)


def test_a_wrong_key_and_an_unreachable_server_are_one_sentence(instance):
    with FaultyServer(fails(401, "Incorrect API key provided: sk-secret-marker")) as server:
        law = solvers.make("law", **QUICK, model="m", base_url=server.base_url, api_key="sk-secret-marker")
        with pytest.raises(EndpointError, match="key") as caught:
            law.solve(instance)
    assert "secret-marker" not in f"{caught.value} {law!r}"
    law = solvers.make("law", **QUICK, model="m", base_url=f"http://127.0.0.1:{unused_port()}/v1", retries=0)
    with pytest.raises(EndpointError, match=r"127\.0\.0\.1"):
        law.solve(instance)


def test_a_server_that_dies_leaves_the_best_so_far(instance):
    with FaultyServer(says('{"selected": [0, 1, 2]}'), fails(401)) as server:
        solution = solvers.make("law", **QUICK, model="m", base_url=server.base_url, api_key="k").solve(
            instance, seed=3
        )
    assert solution.solver == "law (m)"
    assert solution.outcome.feasible
    assert "stopped after" in solution.message


def test_what_went_wrong_is_counted_and_told_to_the_model(instance):
    script = [
        says("I would rather not say."),
        says('{"selected": [0, 1, NaN]}'),
        says('```json\n{"selected": [2, 3, 4]}\n```'),
        hangs,
        fails(500),
        says(""),
        says('{"senders": [], "jammers": []}'),
    ]
    with FaultyServer(*script) as server:
        options = {"rounds": 1, "iterations": 6, "timeout_s": 0.3, "retries": 0}
        solution = solvers.make("law", **options, model="m", base_url=server.base_url).solve(instance, seed=3)
    assert solution.outcome.feasible
    assert sum(solution.usage["faults"].values()) == 3
    assert solution.usage["unusable"] == 2 + 12
    reminders = [h["prompt"][1][1].partition("Reminder: ")[2] for h in solution.history]
    assert reminders[1].startswith("Your last answer could not be used.")
    assert [h["verdict"] for h in solution.history[:3]][:2] == ["unusable", "unusable"]
    assert solution.history[2]["f"] is not None  # a fenced answer is read
    assert "× " in solution.message


@pytest.mark.parametrize(
    ("script", "options", "sentence"),
    [
        ([fails(500, "the GPU burns")], {}, r"\(6 × server error\): the server failed \(500\): the GPU burns"),
        ([says("I cannot.")], {}, r"\(6 × unusable answer\): the reply holds no JSON object"),
        ([fails(500, "first"), fails(401, "then")], {}, r"\(1 × server error\): the server failed \(500\): first"),
        ([says("no")], {"max_tokens": 10}, ": stopped after 0 calls: max_tokens=10 leaves no room"),
    ],
)
def test_where_no_reply_could_be_used_the_model_has_failed(instance, script, options, sentence):
    with FaultyServer(*script) as server:
        law = solvers.make("law", rounds=1, iterations=2, model="m", base_url=server.base_url, retries=0, **options)
        solution = law.solve(instance, seed=3)
    assert solution.status == "failed"
    assert re.match(f"no reply of m could be used.*{sentence}", solution.message)
    row = result_of(solution)
    assert row["feasible"] is False
    assert not any(row[name] for name in ("energy_j", "latency_s", "gap", "transmission_gap"))
    assert row["lower_bound_j"] == solution.lower_bound_j


def test_a_cap_after_a_reply_that_was_used_is_no_failure(instance):
    with FaultyServer(says('{"selected": [0, 1, 2]}')) as server:
        law = solvers.make("law", model="m", base_url=server.base_url, max_calls=2)
        solution = law.solve(instance, seed=3)
    assert solution.status in ("feasible", "optimal")
    assert solution.message.startswith("stopped after 2 calls: max_calls=2")
    assert result_of(solution)["feasible"] is True

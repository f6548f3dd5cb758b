"""LAW's prompts say one thing and what is true; its views of the problem show what they should; and its controls."""

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import solvers
from eval.compare.rows import result_of
from secagent_env import Decision, Scenario, evaluate, sample_instance
from solvers.interface.base import SolverRun
from solvers.law import controls, perturbing_standin, prompts
from solvers.law.designs import FEW_ANTENNAS, Design, Translator, Unusable
from solvers.law.evaluation import Score, complain, score
from solvers.law.neighbours import anywhere, neighbour
from solvers.law.proposals import PROPOSALS, AntennasProposal, BeamProposal, RawPowersProposal, kind_of
from solvers.law.rehearsal import rehearse
from solvers.law.schemas import limits
from solvers.llm.chat import Message
from solvers.llm.structured import parse, schema_of

SMALL = Scenario(num_agents=8, num_antennas=4, num_eavesdroppers=2, min_selected=3)
QUICK = {"rounds": 2, "iterations": 4, "candidates": 20}
ORDER = np.array([3, 0, 7, 1, 6, 2, 5, 4])
"""Number 0 stands for agent 3, number 1 for agent 0, and so on."""
FIRST = {
    "selection": 'Parameters: {"sub_problem": "selection", "agents": 5, "select_at_least": 2}\n\n'
    "rank,agent,energy_j\n1,4,10.0\n2,0,11.0\n3,2,12.5\n\n"
}


@pytest.fixture(scope="module")
def instance():
    return sample_instance(SMALL, seed=5)


def raw_start(instance, selected=(1, 4, 6), order=ORDER):
    """A translator of the raw view, and a design of receive SNRs of −10 dB in its numbers."""
    translator = Translator(instance, order=order)
    design = Design(selected, 40.0, (("filtered", 0.0, 0.0),), (-10.0,) * instance.scenario.num_agents)
    return translator, translator.in_raw_numbers(design)


def prompt_of(instance, sub_problem, translator, design, **how):
    stated = prompts.facts(instance, sub_problem, design, translator, True)
    [best] = score(SolverRun(instance, 0), translator, sub_problem, [design])
    messages = prompts.messages(stated, design, translator, best, **{"experts": (), "reminder": "", **how})
    return [message.content for message in messages], stated, best


def table_of(text, first):
    """The columns of the table in a prompt, by the first title."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"{first},"))
    rows = [line.split(",") for line in lines[start : lines.index("", start)]]
    return dict(zip(rows[0], zip(*rows[1:], strict=True), strict=True))


# --- One state, one prompt -----------------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["ranked", "raw"])
def test_no_reminder_contradicts_the_best_example(view):
    compared = 0
    for seed in range(6):
        network = sample_instance(["small", "contested"][seed % 2], seed=seed)
        law = solvers.make("law", view=view, rounds=1, iterations=5, candidates=15)
        for record in law.solve(network, seed=seed).history:
            prompt = record["prompt"][1][1]
            shown = re.search(r"^Best example so far:\nf = (\S+)", prompt, re.MULTILINE)[1]
            told = re.search(r"^Reminder: .* has f = (\S+) \S+, which is not less than the best, (\S+)", prompt, re.M)
            if told:
                compared += 1
                assert told[2].rstrip(".") == shown
                assert float(told[1]) >= float(shown) * (1 - 1e-5)
    assert compared > 20


def test_the_range_of_powers_in_the_prompt_is_that_of_the_evaluation(instance):
    translator = Translator(instance)
    design = Design((1, 4, 6), 40.0, (("filtered", 0.0, 0.0),), (-10.0,) * 8, ((2, -55.0),))
    (_, prompt), stated, _ = prompt_of(instance, "powers", translator, design)
    assert "between 0 and" not in prompt
    assert "every power at most max_power_dbm, where negative dBm (less than 1 mW) down to -200 are allowed" in prompt
    assert '"power_dbm": -55.0' in prompt
    level = dict(zip(*(table_of(prompt, "agent")[name] for name in ("agent", "power_for_0_db_dbm")), strict=True))
    power = translator.decision([design])[0].power_w
    for agent in design.selected:  # power_for_0_db_dbm + snr_db is what is evaluated
        assert float(level[str(agent)]) - 10 == pytest.approx(10 * np.log10(1e3 * power[agent]), abs=0.05)
    for dbm, feasible in ((-200.0, True), (stated["max_power_dbm"], True), (stated["max_power_dbm"] + 0.01, False)):
        answer = {"senders": [{"agent": n, "snr_db": -10.0} for n in (1, 4, 6)], "jammers": [{"agent": 2}]}
        answer["jammers"][0]["power_dbm"] = dbm
        changed = design.replaced(parse(json.dumps(answer), PROPOSALS["powers"]), translator.directions)
        outcome = evaluate(instance, translator.decision([changed])[0])
        assert bool(outcome.violated["agent_power_w"]) is not feasible


def scored(kind, value):
    return Score(None, (kind, value), value, None, "")


def test_better_is_more_than_a_rounding():
    assert scored(0, 1.0 - 1e-9).beats(scored(0, 1.0))
    assert not scored(0, 1.0 - 1e-14).beats(scored(0, 1.0))
    assert not scored(0, 1.0).beats(scored(0, 1.0))
    assert scored(0, 5.0).beats(scored(1, 0.1))
    assert not scored(1, 0.1).beats(scored(0, 5.0))
    assert scored(1, 0.1).beats(scored(1, 0.2))
    assert not scored(0, 0.0).beats(scored(0, 0.0))


def test_of_designs_that_differ_in_their_last_bits_the_first_one_is_best():
    """Processors sum in different orders: what a search keeps, and so the prompts that follow, must not."""
    twins = [scored(0, 3e-7 * (1 + 1e-14)), scored(0, 3e-7), scored(0, 3e-7 * (1 - 1e-14))]
    others = [scored(0, 3e-7 * (1 + 1e-8)), scored(1, 1e-9), scored(1, 0.0)]
    best_first = sorted([others[1], others[0], *twins, others[2]], key=lambda score: score.rank)
    assert best_first == [*twins, others[0], others[2], others[1]]


def test_a_single_direction_is_the_same_beam_at_any_amplitude_and_phase(instance):
    """So the expert search meets such twins, and keeps the one it drew first."""
    translator = Translator(instance)
    turned = [
        Design((1, 4, 6), 30.0, (("filtered", db, deg),), (-10.0,) * 8) for db, deg in ((-2.0, 218.0), (1.6, 150.3))
    ]
    first, second = score(SolverRun(instance, 0), translator, "beam", turned)
    assert first.rank == second.rank


def test_a_mixture_of_directions_has_the_amplitudes_and_phases_that_it_says(instance):
    translator = Translator(instance)
    mixture = (("matched", 0.0, 0.0), ("weakest", -6.0, 90.0))
    beam = translator.beam(Design((1, 4, 6), 30.0, mixture, (0.0,) * 8))
    matched, _, _, weakest = translator.vectors((1, 4, 6))
    expected = matched + 10**-0.3 * 1j * weakest
    assert beam == pytest.approx(expected / np.linalg.norm(expected))  # of 1 W
    assert not translator.beam(Design((), 30.0, mixture, (0.0,) * 8)).any()
    assert Translator(instance, np.zeros(4)).directions == translator.directions  # a silent start is no direction
    assert Translator(instance, np.ones(4)).directions == (*translator.directions, "given")


# --- The raw view: numbers of its own ------------------------------------------------------------------------


def test_in_the_raw_view_a_number_stands_for_an_agent_and_a_level_for_its_power(instance):
    translator = Translator(instance, order=ORDER)
    antennas = ((1.0, -2.0), (0.0, 0.5), (-0.25, 0.0), (0.0, 0.0))
    design = Design((0, 2), 7.0, (("matched", 0.0, 0.0),), (-30.0,) * 7 + (0.0,), ((5, 20.0), (2, 9.0)), antennas)
    decision = translator.decision([design])[0]
    assert np.flatnonzero(decision.selection).tolist() == [3, 7]  # shown as 0 and 2
    expected = np.zeros(8)
    expected[[3, 7]] = 1e-6  # −30 dBm; who computes does not jam
    expected[2] = 0.1  # shown as 5
    assert decision.power_w == pytest.approx(expected, rel=1e-12)
    assert decision.beamformer.tolist() == [1 - 2j, 0.5j, -0.25, 0]
    for name in ("accuracy", "inference_time_s", "compute_power_w", "bs_gain", "gain_eve", "channel_bs"):
        assert np.array_equal(getattr(translator.shown, name), getattr(instance, name)[ORDER])
    assert translator.shown.gain_agents[0, 2] == instance.gain_agents[3, 7]
    assert translator.shown.gain_agents[2, 1] == instance.gain_agents[7, 0]
    assert np.array_equal(translator.shown.position_m, instance.position_m[ORDER])
    assert [translator.numbers[agent] for agent in (3, 0, 7)] == [0, 1, 2]


@pytest.mark.parametrize("antennas", [FEW_ANTENNAS, FEW_ANTENNAS + 1])
def test_the_raw_view_begins_with_the_decision_that_the_ranked_one_begins_with(antennas):
    network = sample_instance(SMALL.replace(num_antennas=antennas), seed=5)
    order = np.random.default_rng(1).permutation(8)
    translator, design = raw_start(network, order=order)
    selected = tuple(sorted(int(order[number]) for number in (1, 4, 6)))
    same = Translator(network).decision([Design(selected, 40.0, (("filtered", 0.0, 0.0),), (-10.0,) * 8)])[0]
    decision = translator.decision([design])[0]
    assert np.array_equal(decision.selection, same.selection)
    assert decision.power_w == pytest.approx(same.power_w, rel=0.0024)  # 0.01 dB
    assert np.all(decision.power_w <= same.power_w * (1 + 1e-12))
    assert decision.beamformer == pytest.approx(same.beamformer, rel=2e-4)
    assert np.linalg.norm(decision.beamformer) ** 2 <= 10 * (1 + 1e-12)
    assert len(design.antennas) == (antennas if antennas <= FEW_ANTENNAS else 0)


def test_both_views_begin_alike_and_ask_with_the_same_seeds(monkeypatch):
    seen = []
    monkeypatch.setattr(perturbing_standin, "reply", lambda messages, seed: seen.append(seed) or "nothing")
    first = []
    for view in ("ranked", "raw"):
        network = sample_instance("small", seed=3)
        history = solvers.make("law", view=view, rounds=1, iterations=2).solve(network, seed=9).history
        first.append(re.search(r"^f = (\S+) J", history[0]["prompt"][1][1], re.MULTILINE)[1])
    assert seen[:6] == seen[6:]
    assert first[0] == first[1]


def test_a_start_is_shown_in_the_raw_view_and_never_lost(instance):
    exact = solvers.make("exact").solve(instance)
    loud = exact.decision.replace(power_w=np.where(exact.decision.selection, exact.decision.power_w, 1e-6))
    translator = Translator(instance, loud.beamformer, ORDER)
    decision = translator.decision([translator.in_raw_numbers(translator.design_of(loud))])[0]
    assert np.array_equal(decision.selection, loud.selection)
    assert decision.power_w == pytest.approx(loud.power_w, rel=0.0048)
    solution = solvers.make("law", view="raw", **QUICK).solve(instance, start=exact.decision)
    assert solution.outcome.energy_j <= exact.outcome.energy_j


@pytest.mark.parametrize("preset", ["small", "paper"])
def test_indices_in_replies_are_translated_back(preset, monkeypatch):
    """A model that reads the raw table and takes the cheapest agents finds the optimum of the instance."""

    def cheapest(messages, seed):
        prompt = messages[-1].content
        stated = prompts.facts_in(prompt)
        if stated["sub_problem"] != "selection":
            return "{}"
        columns = table_of(prompt, "agent")
        energy = np.array(columns["P_n"], float) * np.array(columns["T_n"], float)
        chosen = np.argsort(energy)[: stated["select_at_least"]].tolist()
        return json.dumps({"selected": chosen})

    monkeypatch.setattr(perturbing_standin, "reply", cheapest)
    network = sample_instance(Scenario.preset(preset, min_accuracy=0.0), seed=1)
    solution = solvers.make("law", view="raw", rounds=1, iterations=1, expert_search=False).solve(network, seed=2)
    wanted = np.argsort(network.execution_energy_j)[: network.scenario.required_agents]
    assert np.flatnonzero(solution.decision.selection).tolist() == sorted(wanted.tolist())
    assert solution.status == "optimal"


def test_complaints_name_agents_by_the_numbers_of_the_view(instance):
    selection = np.isin(np.arange(8), [0, 5])
    loud = Decision(selection=selection, beamformer=np.zeros(4, complex), power_w=np.where(np.arange(8) == 5, 4.0, 0))
    numbers = Translator(instance, order=ORDER).numbers
    complaint = complain(instance, loud, evaluate(instance, loud), numbers)
    assert "Agent 6 would transmit" in complaint  # agent 5 is shown as 6
    heard = re.search(r"hears these agents better: (.*)\.", complaint)[1]
    assert re.findall(r"(\d) \(by", heard)[0] == "1"  # agent 0 is shown as 1
    translator, design = raw_start(instance)
    with pytest.raises(Unusable, match=r"w has 1 weights, but there are 4 antennas"):
        design.replaced(AntennasProposal.of([1j]), translator.directions)


# --- The raw view: what its prompts say ----------------------------------------------------------------------


def constants(stated):
    bits = stated["prompt_bits"] + stated["knowledge_bits"], stated["output_bits"]
    return stated["bandwidth_hz"], stated["noise_power_w"], *bits


@pytest.mark.parametrize("colluding", [False, True])
def test_f_of_a_beam_follows_from_the_raw_prompt_alone(instance, colluding):
    network = instance.replace(scenario=SMALL.replace(colluding=colluding))
    translator, design = raw_start(network)
    design = design.replaced(
        RawPowersProposal.of(dict.fromkeys((1, 4, 6), -50.0), {0: -60.0, 7: -70.0}), translator.directions
    )
    (system, prompt), stated, best = prompt_of(network, "beam", translator, design)
    columns = table_of(prompt, "receiver")
    assert columns["receiver"] == ("agent 1", "agent 4", "agent 6", "eavesdropper 1", "eavesdropper 2")
    channels = np.array([columns[f"h{antenna}"] for antenna in (1, 2, 3, 4)]).astype(complex).T
    weights = json.loads(prompts.examples_in(prompt)[0])["w"]
    w = np.array([complex(each["re"], each["im"]) for each in weights])
    sinr = np.abs(channels.conj() @ w) ** 2 / np.array(columns["I"], float)
    heard = np.log2(1 + sinr[3:].sum()) if colluding else np.log2(1 + sinr[3:]).max()
    assert ("sum over e of S_e" in system) is ("sum over e of S_ne" in system) is colluding
    bandwidth, _, bits, _ = constants(stated)
    assert bits / (bandwidth * (np.log2(1 + sinr[:3]).min() - heard)) == pytest.approx(best.f, rel=0.02)
    assert f"f = {best.f:.6g} s\n" in prompt


@pytest.mark.parametrize("colluding", [False, True])
@pytest.mark.parametrize("sub_problem", ["selection", "powers"])
def test_f_of_a_selection_and_of_powers_follows_from_the_raw_prompt_alone(instance, sub_problem, colluding):
    network = instance.replace(scenario=SMALL.replace(colluding=colluding))
    translator, design = raw_start(network)
    (_, prompt), stated, best = prompt_of(network, sub_problem, translator, design)
    columns = table_of(prompt, "agent")
    assert columns["agent"] == tuple(map(str, range(8)))
    chosen = [1, 4, 6]
    if sub_problem == "powers":
        senders = json.loads(prompts.examples_in(prompt)[0])["senders"]
        assert [each["agent"] for each in senders] == chosen
        dbm = np.array([each["power_dbm"] for each in senders])
        assert [i for i, role in enumerate(columns["role"]) if role == "computes"] == chosen
    else:
        dbm = np.array(columns["send_dbm"], float)[chosen]
    power = 1e-3 * 10 ** (dbm / 10)
    bandwidth, noise, _, bits = constants(stated)

    def capacities(gains):
        received = np.array(gains, float)[chosen] * power
        return received / (received.sum() - received + noise)

    heard = np.array([capacities(columns[f"b_n{e}"]) for e in (1, 2)])
    heard = np.log2(1 + (heard.sum(axis=0) if colluding else heard.max(axis=0)))
    seconds = bits / (bandwidth * (np.log2(1 + capacities(columns["g_n"])) - heard))
    energy = np.sum(power * seconds)
    if sub_problem == "selection":
        energy += sum(float(columns["P_n"][n]) * float(columns["T_n"][n]) for n in chosen)
    assert energy == pytest.approx(best.f, rel=0.01)
    received = np.abs(translator.shown.channel_bs.conj() @ translator.beam(design)) ** 2
    assert np.array(columns["received_w"], float) == pytest.approx(received, rel=1e-3)
    heard = np.array(stated["eavesdroppers_receive_w"])
    heard = np.log2(1 + (heard.sum() if colluding else heard.max()) / noise)
    _, _, bits, _ = constants(stated)
    seconds = bits / (bandwidth * (np.log2(1 + np.array(columns["received_w"], float)[chosen].min() / noise) - heard))
    assert seconds == pytest.approx(float(best.outcome.downlink_time_s), rel=0.01)


def test_the_raw_view_shows_the_constants_and_nothing_that_is_worked_out(instance):
    translator, design = raw_start(instance)
    design = design.replaced(RawPowersProposal.of(dict.fromkeys((1, 4, 6), -50.0), {0: -60.0}), translator.directions)
    (system, prompt), stated, _ = prompt_of(instance, "selection", translator, design)
    assert stated == {
        "sub_problem": "selection",
        "view": "raw",
        "antennas": 4,
        "eavesdroppers": 2,
        "bandwidth_hz": 5e6,
        "noise_power_w": 1.99526e-14,
        "prompt_bits": 2048 * 16,
        "knowledge_bits": 1e7,
        "output_bits": 4096 * 16,
        "bs_power_w": 10.0,
        "max_power_w": 2.0,
        "eavesdroppers_receive_w": pytest.approx(
            np.abs(instance.channel_eve.conj() @ translator.beam(design)) ** 2, rel=1e-3
        ),
        "agents": 8,
        "latency_limit_s": 3000.0,
        "select_at_least": 3,
        "min_mean_accuracy": 0.7,
    }
    columns = table_of(prompt, "agent")
    assert np.array(columns["accuracy"], float) == pytest.approx(instance.accuracy[ORDER], abs=1e-4)
    assert columns["jam_dbm"] == ("-60.0", *"-" * 7)
    assert not re.search("rank|energy_j|_db,|snr", prompt)
    assert "The beam and the powers stay as they are." in prompt
    assert "c_dl = max(0, min over computing n of log2(1 + S_n) - max over e of log2(1 + S_e));" in system
    (_, prompt), stated, _ = prompt_of(instance, "powers", translator, design)
    assert stated["max_power_dbm"] == 33.01
    assert "from -200 to max_power_dbm" in prompt
    (_, prompt), stated, _ = prompt_of(instance, "beam", translator, design)
    assert "directions" not in stated
    assert '{"reason": "one sentence", "w": [{"re": number, "im": number}, ...]}' in prompt


def test_for_many_antennas_the_raw_view_mixes_directions():
    network = sample_instance("paper", seed=1)
    translator, design = raw_start(network, tuple(range(10)), np.random.default_rng(0).permutation(30))
    (_, prompt), stated, best = prompt_of(network, "beam", translator, design)
    assert kind_of(stated) is BeamProposal
    assert stated["directions"] == list(translator.directions)
    assert "\ndirection,weakest_agent_snr_db,eavesdropper_snr_db\nmatched," in prompt
    assert prompts.agents_in(prompt) == []
    assert best.outcome.feasible
    (_, prompt), _, _ = prompt_of(network, "selection", translator, design)
    assert "the beam is mixed anew, towards the agents that you choose" in prompt


def test_schemas_hold_the_limits_of_the_raw_view(instance):
    translator, design = raw_start(instance)

    def schema(sub_problem):
        stated = prompts.facts(instance, sub_problem, design, translator, True)
        return schema_of(kind_of(stated), limits(stated))["properties"]

    beam = schema("beam")["w"]
    assert (beam["minItems"], beam["maxItems"]) == (4, 4)
    powers = schema("powers")
    sender = powers["senders"]["items"]["properties"]
    assert sender["agent"]["enum"] == [1, 4, 6]
    assert sender["power_dbm"]["maximum"] == 33.01
    assert powers["jammers"]["items"]["properties"]["agent"]["enum"] == [0, 2, 3, 5, 7]
    stated = prompts.facts(instance, "powers", Design((1,), 40.0, (), (0.0,) * 8), Translator(instance), True)
    assert "snr_db" in schema_of(kind_of(stated), limits(stated))["properties"]["senders"]["items"]["properties"]
    many = sample_instance(SMALL.replace(num_antennas=FEW_ANTENNAS + 1), seed=5)
    translator, design = raw_start(many)
    stated = prompts.facts(many, "beam", design, translator, True)
    assert "weights" in schema_of(kind_of(stated), limits(stated))["properties"]


def test_no_number_is_a_negative_zero(instance):
    translator, design = raw_start(instance)
    levels = RawPowersProposal.of({1: -0.001, 4: 0.004, 6: -0.0}, {0: -0.001})
    beam = AntennasProposal.of([complex(-0.0, -0.0), 1, 1, 1])
    for proposal in (levels, beam):
        text = design.replaced(proposal, translator.directions).proposal(type(proposal)).to_json()
        assert "-0.0" not in text
        assert " 0.0" in text


# --- Small changes in the raw view ---------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), sub_problem=st.sampled_from(sorted(PROPOSALS)))
def test_neighbours_in_the_raw_view_keep_the_limits_and_are_answers(seed, sub_problem):
    network, rng = sample_instance(SMALL, seed=5), np.random.default_rng(seed)
    translator, design = raw_start(network)
    stated = prompts.facts(network, sub_problem, design, translator, True)
    kind = kind_of(stated)
    old = design.proposal(kind)
    assert design.replaced(parse(old.to_json(), kind), translator.directions) == design or sub_problem == "powers"
    near = [neighbour(old, stated, rng) for _ in range(10)]
    assert sum(new.to_json() != old.to_json() for new in near) >= 5
    for proposal in (near[0], anywhere(stated, rng)):
        assert parse(proposal.to_json(), kind) == proposal
        outcome = evaluate(network, translator.decision([design.replaced(proposal, translator.directions)])[0])
        assert not outcome.violated["beam_power_w"]
        assert not outcome.violated["agent_power_w"]


def test_beams_are_varied_antenna_by_antenna_or_all_together_at_full_power():
    rng, power = np.random.default_rng(0), 4.0
    old = AntennasProposal.of([1.0, 1j, -1.0, 0.5 - 0.5j])
    before = np.array([1.0, 1j, -1.0, 0.5 - 0.5j])
    stated = {"antennas": 4, "bs_power_w": power}
    ratios = []
    for _ in range(4000):
        new = neighbour(old, stated, rng)
        w = np.array([complex(each.re, each.im) for each in new.w])
        assert power * (1 - 4e-4) < np.linalg.norm(w) ** 2 <= power
        ratios.append(w / before)
    alike = np.array([np.sum(np.abs(ratio / np.median(ratio.real) - 1) < 1e-3) for ratio in ratios])
    single = np.array([ratio for ratio, count in zip(ratios, alike, strict=True) if count == 3])
    assert np.mean(alike == 3) == pytest.approx(0.5, abs=0.06)  # where all change, three of them hardly do at times
    turned = []
    for ratio in single:
        at = int(np.argmax(np.abs(ratio - np.median(ratio.real))))
        turned.append(ratio[at] / np.median(np.delete(ratio, at).real))
    assert np.std(20 * np.log10(np.abs(turned))) == pytest.approx(4, rel=0.1)
    assert np.std(np.rad2deg(np.angle(turned))) == pytest.approx(30, rel=0.1)
    assert np.max(np.abs(np.array(ratios)[alike < 3] - 1)) > 0.5
    turned = np.array(ratios)[alike < 3].imag  # each antenna in a direction of its own
    assert np.all(turned.std(axis=0) > 0.01)
    assert np.corrcoef(turned.T) == pytest.approx(np.eye(4), abs=0.2)
    silent = neighbour(AntennasProposal.of([0j, 0j, 0j, 0j]), stated, rng)
    assert sum(each.re**2 + each.im**2 for each in silent.w) == pytest.approx(power, rel=1e-3)


def test_powers_are_varied_in_dbm_and_stay_below_the_limit():
    stated = {"sub_problem": "powers", "view": "raw", "agents": 8, "computing": [1, 4, 6], "jamming": True}
    stated |= {"max_power_dbm": -40.0}
    rng, old = np.random.default_rng(0), RawPowersProposal.of({1: -41.0, 4: -60.0, 6: -99.0}, {})
    new = [neighbour(old, stated, rng) for _ in range(2000)]
    levels = np.array([list(each.levels.values()) for each in new])
    assert (levels.min(), levels.max()) == (-100.0, -40.0)
    assert np.std(levels[:, 1][levels[:, 1] != -60.0]) == pytest.approx(4.8, rel=0.1)
    jamming = [jammer.power_dbm for each in new for jammer in each.jammers]
    assert -80 <= min(jamming) < -75
    assert -45 < max(jamming) <= -40
    drawn = [anywhere(stated, rng) for _ in range(500)]
    common = [set(each.levels.values()) for each in drawn]
    assert {len(each) for each in common} == {1}
    assert -100 <= min(map(min, common)) < -98
    assert -42 < max(map(max, common)) <= -40
    stated["view"] = "ranked"
    snr = [next(iter(anywhere(stated, rng).levels.values())) for _ in range(500)]
    assert -40 <= min(snr) < -38
    assert 8 < max(snr) <= 10


def test_a_rehearsal_counts_the_schema_of_the_view(instance):
    law = solvers.make("law", view="raw", rounds=1, iterations=1)
    rehearsal = rehearse(law, instance)
    assert "receiver,I,h1" in rehearsal.prompts["beam"][1].content
    kinds = [kind_of({"sub_problem": "beam"}), RawPowersProposal, PROPOSALS["selection"]]
    least = 2 * (rehearsal.prompt_tokens + sum(len(str(schema_of(kind))) // 4 for kind in kinds))
    assert rehearsal.most_prompt_tokens >= least


# --- Controls ------------------------------------------------------------------------------------------------


def asked(rule, prompt, seed=0):
    return json.loads(rule([Message("user", prompt)], seed))


def test_rules_read_facts_and_examples_and_not_the_words():
    prompt = FIRST["selection"] + 'Best example so far:\n{"selected": [1, 3]}\n\nReminder: select nobody'
    other = f"Other words.\n{prompt}".replace("select nobody", "select everybody")
    for rule in (perturbing_standin.reply, *controls.CONTROLS.values()):
        assert rule([Message("user", prompt)], 4) == rule([Message("user", other)], 4)
    changed = prompt.replace("[1, 3]", "[2, 3]")
    answers = [{str(asked(perturbing_standin.reply, text, seed)) for seed in range(5)} for text in (prompt, changed)]
    assert answers[0] != answers[1]


def test_first_rows_copies_the_list_and_repeats_elsewhere():
    prompt = FIRST["selection"]
    assert prompts.agents_in(prompt) == [4, 0, 2]
    assert asked(controls.first_rows, prompt)["selected"] == [0, 4]
    assert asked(controls.first_rows, f'{prompt}{{"selected": [1, 3]}}\n')["selected"] == [0, 4]
    beam = 'Parameters: {"sub_problem": "beam", "directions": ["matched"], "max_power_dbm": 40.0}\n\n'
    example = {"power_dbm": 3.0, "weights": [{"direction": "matched", "amplitude_db": -1.0, "phase_deg": 7.0}]}
    repeated = asked(controls.first_rows, f"{beam}f = 1 s\n{json.dumps(example)}\n")
    assert {name: repeated[name] for name in example} == example
    assert asked(controls.first_rows, beam)["power_dbm"] == 40.0  # without an example, anything
    with pytest.raises(ValueError, match="not a prompt of LAW"):
        controls.first_rows([Message("user", "Tell me a joke.")], 0)
    assert prompts.agents_in("no table") == []


def test_random_ignores_the_examples_and_repeat_does_nothing_else():
    prompt = f'{FIRST["selection"]}f = 1 J\n{{"selected": [1, 3]}}\nf = 2 J\n{{"selected": [0, 1]}}\n'
    assert asked(controls.repeat, prompt)["selected"] == [1, 3]
    drawn = [asked(controls.random, prompt, seed)["selected"] for seed in range(200)]
    assert {len(each) for each in drawn} == {2}
    assert len({tuple(each) for each in drawn}) == 10  # all pairs of five agents


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "law (no LLM)"),
        ({"control": "first-rows"}, "law (first rows)"),
        ({"control": "random"}, "law (random)"),
        ({"control": "repeat"}, "law (repeat)"),
    ],
)
def test_the_share_of_steps_that_its_own_proposals_improved_is_told(instance, options, name):
    law = solvers.make("law", **QUICK, **options)
    solution = law.solve(instance, seed=3)
    assert law.name == solution.solver == name
    improved = [record["verdict"] == "improved" for record in solution.history]
    assert solution.usage["steps"] == len(improved)
    assert solution.usage["improved"] == sum(improved)
    assert result_of(solution)["own_improvements"] == sum(improved) / len(improved)
    if options.get("control") == "repeat":
        assert not any(improved)
        assert solution.history[-1]["best_energy_j"] < solution.history[0]["best_energy_j"]  # the search's work


def test_a_step_is_improved_by_the_proposal_and_not_by_the_search(instance, monkeypatch):
    answers = iter(['{"selected": [0, 1, 2, 3]}', '{"selected": [0, 1, 2]}', "nothing", '{"selected": [0, 1, 2, 3]}'])
    monkeypatch.setattr(perturbing_standin, "reply", lambda messages, seed: next(answers, "nothing"))
    law = solvers.make("law", rounds=1, iterations=4, expert_search=False)
    start = solvers.make("randas").solve(instance).decision
    start = start.replace(selection=np.ones(8, bool), power_w=np.full(8, 1e-9))
    solution = law.solve(instance, start=start)
    verdicts = [record["verdict"] for record in solution.history[:4]]
    assert verdicts == ["improved", "improved", "unusable", "not better"]
    assert (solution.usage["improved"], solution.usage["steps"]) == (2, 12)


def test_first_rows_copies_the_optimum_in_the_ranked_view_alone():
    network = sample_instance("paper", seed=1)
    options = {"control": "first-rows", "rounds": 1, "iterations": 2, "expert_search": False}
    ranked, raw = (solvers.make("law", view=view, **options).solve(network, seed=0) for view in ("ranked", "raw"))
    assert ranked.status == "optimal"
    assert raw.gap > 0.2
    prompt = raw.history[0]["prompt"][1][1]
    assert json.loads(raw.history[0]["replies"][0][0])["selected"] == list(range(10)) == prompts.agents_in(prompt)[:10]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"view": "sorted"}, "unknown view 'sorted'"),
        ({"view": None}, "unknown view None"),
        ({"control": "first"}, "unknown control 'first'; did you mean 'first-rows'"),
        ({"control": "random", "model": "m"}, "control takes the place of a model"),
        ({"control": "random", "replay": "t.jsonl"}, "control takes the place of a model"),
        ({"control": "random", "transcript": "t.jsonl"}, "control takes the place of a model"),
    ],
)
def test_bad_views_and_controls_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        solvers.make("law", **options)

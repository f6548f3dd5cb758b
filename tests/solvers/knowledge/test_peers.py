"""Peers share what they learn, and agents help each other at each level: bits by hand, and what never leaks."""

import numpy as np
import pytest
from colours import COLOURS, Reading, passage, question
from hashing_encoder import HashingEncoder
from hypothesis import given, settings
from hypothesis import strategies as st

from solvers.collaboration.consultation import Shared, conclude, consult, respond
from solvers.collaboration.levels import (
    LEVELS,
    Information,
    Inquiries,
    Inquiry,
    Intent,
    Opinion,
    Pointers,
    decode,
    encode,
)
from solvers.collaboration.peers import SHARING, Peers, checksum, run
from solvers.collaboration.student import Student, inquiry_of
from solvers.knowledge.corpus import explanations
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.passages import Passage

ENCODER = HashingEncoder(1024)


def knows(*numbers, guess=None, **options):
    base = KnowledgeBase.build(tuple(map(passage, numbers)), ENCODER)
    return Student(Reading(guess), ENCODER, base, **{"threshold": -1.0, **options})


def keys(student):
    return {each.key for each in student.base.passages}


def learned(number):
    [passage] = explanations((question(number),))
    return passage


def bits(message):
    return 8 * len(encode(message))


def rng():
    return np.random.default_rng(0)


# --- Sharing -------------------------------------------------------------------------------------------------


def test_alone_nothing_is_sent_and_only_the_own_questions_teach():
    peers = [knows(0), knows(1)]
    [first] = run(peers, [[question(0)], [question(0, key="again", group="other")]], "alone")
    assert first.correct == (True, False)
    assert (first.bits, first.messages, first.passages) == (0, 0, (2, 2))
    assert keys(peers[0]) == {"p0", learned(0).key}


def test_a_broadcast_is_one_message_that_all_hear():
    peers = [knows(), knows(), knows()]
    [first] = run(peers, [[question(number)] for number in range(3)], "broadcast")
    assert first.messages == 3
    assert first.bits == sum(bits(Information((learned(number),))) for number in range(3))
    assert first.passages == (3, 3, 3)
    again = [question(number, key=f"again{number}", group=f"other{number}") for number in (1, 2, 0)]
    assert Peers(peers, "alone").round(again).correct == (True, True, True)


def test_a_request_is_asked_where_the_own_knowledge_does_not_do():
    peers = [knows(), knows(1, passages=1), knows(2, passages=1)]
    group = Peers(peers, "request")
    first = group.round([question(1), question(1), question(2)])
    assert first.correct == (True, True, True)
    sent = [Inquiries((inquiry_of(question(1)),)), Information((passage(1),)), Information((passage(2),))]
    assert (first.messages, first.bits) == (3, sum(map(bits, sent)))
    assert keys(peers[0]) == {"p1", "p2", learned(1).key}
    second = group.round([question(5), question(1, key="again", group="other"), question(2, key="a", group="o")])
    assert second.correct[0] is False  # nobody knows
    assert second.messages == 3  # and nobody else asks


def test_a_peer_replies_with_what_is_nearer_than_what_who_asks_has():
    peers = [knows(1, threshold=1.0), knows(1)]
    first = Peers(peers, "request").round([question(1), question(1)])
    assert first.bits == bits(Inquiries((inquiry_of(question(1)),))) + bits(Information(()))


def test_gossip_brings_what_is_missing_in_whole():
    peers = [knows(0, 1), knows(1, 2)]
    group = Peers(peers, "gossip")
    before = [{*keys(peer)} for peer in peers]
    first = group.round([question(3), question(4)])
    assert first.messages == 4
    both = before[0] | before[1] | {learned(3).key, learned(4).key}
    assert keys(peers[0]) == keys(peers[1]) == both
    digests = [
        Pointers(tuple(sorted(map(checksum, [*map(passage, own), learned(q)]))))
        for own, q in (((0, 1), 3), ((1, 2), 4))
    ]
    replies = [Information((passage(2), learned(4))), Information((passage(0), learned(3)))]
    assert first.bits == sum(map(bits, digests + replies))
    assert group.round([question(2), question(0)]).correct == (True, True)


def test_a_central_teacher_knows_all_and_sends_it_once():
    peers = [knows(0), knows(1)]
    group = Peers(peers, "central")
    first = group.round([question(1), question(0)])
    assert first.correct == (True, True)
    union, revealed = Information((passage(0), passage(1))), Information((learned(1), learned(0)))
    assert first.bits == bits(union) + bits(revealed)
    assert first.messages == 2
    second = group.round([question(2), question(3)])
    assert second.bits == bits(Information((learned(2), learned(3))))
    assert second.passages == (6, 6)


@settings(max_examples=20)
@given(st.sampled_from(SHARING), st.integers(0, 3), st.integers(2, 4), st.booleans())
def test_what_a_question_reveals_never_helps_its_own_group(sharing, number, size, grouped):
    peers = [knows() for _ in range(size)]
    # The same question to all: of one group, or without a group and with the same key.
    changes = [{"key": f"q{index}"} if grouped else {"group": ""} for index in range(size)]
    questions = [question(number, **each) for each in changes]
    rounds = run(peers, [[each] * 3 for each in questions], sharing)
    assert not any(right for each in rounds for right in each.correct)
    for peer in peers:
        assert all(not texts for _, texts in peer.reasoner.read)
    other = question(number, key="other", group="other")
    assert peers[0].answer(other, rng()).option == number


@pytest.mark.parametrize("sharing", SHARING)
def test_peers_never_know_what_nobody_held_or_was_revealed(sharing):
    peers = [knows(0, 1), knows(2, 3), knows(4)]
    streams = [[question(number) for number in range(first, first + 4)] for first in (4, 8, 12)]
    run(peers, streams, sharing)
    revealed = {learned(number).key for number in range(4, 16)}
    assert all(keys(peer) <= {f"p{number}" for number in range(5)} | revealed for peer in peers)


def test_the_same_seed_repeats_and_another_one_gossips_otherwise():
    def course(seed):
        peers = [knows(number) for number in range(5)]
        streams = [[question(number + 5 * turn) for turn in range(1, 5)] for number in range(5)]
        return run(peers, streams, "gossip", seed)

    assert course(1) == course(1)
    assert course(1) != course(2)


def test_more_sharing_is_better_and_costs_more():
    def course(sharing):
        peers = [knows(*range(first, first + 4)) for first in (0, 4, 8)]
        streams = [
            [question(first + turn, key=f"x{first + turn}", group=f"x{first + turn}") for turn in range(4)]
            for first in (4, 8, 0)
        ]
        rounds = run(peers, streams, sharing)
        return np.mean([each.accuracy for each in rounds]), sum(each.bits for each in rounds)

    results = {sharing: course(sharing) for sharing in SHARING}
    assert results["alone"] == (0.0, 0)
    assert results["request"][0] == results["central"][0] == 1.0
    assert results["gossip"][0] > 0
    assert all(results[sharing][1] > 0 for sharing in SHARING if sharing != "alone")


def test_a_single_peer_has_nobody_to_share_with():
    for sharing in ("alone", "broadcast", "request", "gossip"):
        [first] = run([knows()], [[question(0)]], sharing)
        assert (first.bits, first.correct) == (0, (False,))


def test_bad_arguments():
    with pytest.raises(ValueError, match="did you mean 'gossip'"):
        Peers([knows()], "gosip")
    with pytest.raises(ValueError, match="at least one"):
        Peers([], "alone")
    with pytest.raises(ValueError, match="one for each of the 2 peers, got 1"):
        Peers([knows(), knows()], "alone").round([question(0)])
    with pytest.raises(ValueError, match="streams must be one for each of the 1 peers, got 2"):
        run([knows()], [[], []], "alone")


# --- Levels of collaboration ---------------------------------------------------------------------------------


def test_at_the_information_level_passages_are_sent():
    asker, partners = knows(0), [knows(1, passages=1), knows(2, passages=1)]
    result = consult(asker, partners, question(1), "information", rng())
    assert result.answer.option == 1
    assert result.request == encode(Inquiries((inquiry_of(question(1)),)))
    assert [decode(reply) for reply in result.replies] == [Information((passage(n),)) for n in (1, 2)]
    assert result.reply_bits == sum(bits(Information((passage(n),))) for n in (1, 2))
    assert keys(asker) == {"p0"}  # it reads, and does not keep


def test_at_the_decision_level_opinions_are_sent():
    asker, partner = knows(0, guess=3), knows(1)
    result = consult(asker, [partner], question(1), "decision", rng(), reason=0)
    assert result.answer.option == 1  # 0.9 beats the guess's 0.25
    [reply] = result.replies
    assert reply == bytes([0x12, 2, 1 + round(0.9 * 254), 0])
    assert result.reply_bits == 32
    reasons = consult(asker, [partner], question(1), "decision", rng(), reason=40)
    assert decode(reasons.replies[0]).reason == passage(1).text[:40]
    assert passage(1).text[:40] in asker.reasoner.read[-1][1]


def test_at_the_decision_level_a_tie_is_the_askers_and_surer_partners_win():
    asker = knows(guess=3)
    unsure = encode(Opinion(1, 0.25))
    exact = round(0.25 * 254) / 254

    class Sure(Reading):
        def answer(self, question, texts, rng):
            answer = super().answer(question, texts, rng)
            return type(answer)(answer.option, exact, "", "")

    asker.reasoner = Sure(3)
    assert conclude(asker, question(1), "decision", [unsure], rng())[0].option == 3
    two = conclude(asker, question(1), "decision", [unsure, unsure], rng())[0]
    assert (two.option, two.confidence) == (1, pytest.approx(2 / 3))
    asker.reasoner = Reading(None)
    assert conclude(asker, question(1), "decision", [unsure], rng())[0].option == 1
    assert conclude(asker, question(1), "decision", [encode(Opinion(None))], rng())[0].option is None


def test_a_partner_knows_of_a_question_only_what_was_asked():
    partner = knows(1)
    whole = question(1, passage="Given with it.")
    consult(knows(), [partner], whole, "decision", rng())
    received = partner.reasoner.read[-1][0]
    assert (received.text, received.options, received.passage) == (whole.text, whole.options, whole.passage)
    assert received.explanation == ""
    without = encode(Inquiries((inquiry_of(whole),)))
    respond(partner, without, whole, "decision", rng())
    assert partner.reasoner.read[-1][0].passage == ""


def test_at_the_intent_level_only_concepts_and_pointers_are_sent():
    shared = Shared(KnowledgeBase.build(tuple(map(passage, range(6))), ENCODER))
    asker, partner = knows(), knows(passages=1)
    result = consult(asker, [partner], question(4), "intent", rng(), shared=shared)
    assert result.answer.option == 0
    intent = decode(result.request)
    assert set(shared.text(intent.concepts).split()) <= {"the", "colour", "of", "thing4", "is", *COLOURS}
    assert "thing4" in shared.text(intent.concepts).split()
    assert decode(result.replies[0]) == Pointers((4,))
    assert result.reply_bits == 8 * 3
    assert result.request_bits == 8 * (3 + len(intent.concepts))  # fewer than 128 words: a byte each
    coarse = consult(asker, [partner], question(4), "intent", rng(), shared=shared, vector=True)
    assert coarse.request_bits < 8 * (1 + 1 + 2 + 1024)  # a byte for each number, before zeros are deflated
    assert coarse.answer.option == 0


def test_an_intent_about_nothing_that_is_shared_gets_nothing():
    shared = Shared(KnowledgeBase.build((), ENCODER))
    result = consult(knows(), [knows(1)], question(1), "intent", rng(), shared=shared)
    assert (result.answer.option, decode(result.request), decode(result.replies[0])) == (None, Intent(), Pointers(()))


@pytest.mark.parametrize("level", LEVELS)
def test_no_level_lets_a_group_help_its_own_question(level):
    leak = Passage("leak", passage(1).text, group="g1")
    base = KnowledgeBase.build((leak,), ENCODER)
    partner = Student(Reading(), ENCODER, base)
    asker = Student(Reading(), ENCODER, base)
    shared = Shared(base)
    assert consult(asker, [partner], question(1), level, rng(), shared=shared).answer.option is None
    other = question(1, group="other")
    assert consult(knows(), [partner], other, level, rng(), shared=shared).answer.option == 1


@pytest.mark.parametrize("level", LEVELS)
def test_without_partners_an_agent_answers_alone(level):
    result = consult(knows(1), [], question(1), level, rng(), shared=Shared(knows(1).base))
    assert (result.answer.option, result.request_bits, result.reply_bits) == (1, 0, 0)


@given(st.binary(max_size=40), st.sampled_from(LEVELS))
def test_a_reply_that_is_no_use_is_ignored(reply, level):
    asker = knows(1)
    answer, ignored = conclude(asker, question(1), level, [reply], rng(), shared=Shared(asker.base))
    assert ignored in (0, 1)
    assert answer.option is None or 0 <= answer.option < 4


def test_replies_of_another_level_or_of_options_that_there_are_not_are_ignored():
    asker, shared = knows(1), Shared(knows(1).base)
    bad = {
        "information": [Opinion(0, 1.0), Pointers((0,))],
        "decision": [Opinion(4, 1.0), Information((passage(2),)), Intent((1,))],
        "intent": [Pointers((1,)), Information((passage(2),)), Inquiries((Inquiry("?"),))],
    }
    for level, messages in bad.items():
        answer, ignored = conclude(asker, question(1), level, [*map(encode, messages), b""], rng(), shared=shared)
        assert (answer.option, ignored) == (1, len(messages) + 1)


def test_bad_requests():
    with pytest.raises(ValueError, match="give the shared base"):
        consult(knows(), [knows()], question(1), "intent", rng())
    with pytest.raises(ValueError, match="unknown level 'intend'; did you mean 'intent'"):
        consult(knows(), [knows()], question(1), "intend", rng())
    with pytest.raises(ValueError, match="at the decision level cannot be a message of opinion"):
        respond(knows(), encode(Opinion(1)), question(1), "decision", rng())
    with pytest.raises(ValueError, match="cannot be a message of inquiries"):
        respond(knows(), encode(Inquiries(())), question(1), "information", rng())

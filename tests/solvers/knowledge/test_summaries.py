"""Texts in fewer words by a language model: a real server on the loopback interface, and what it may do wrong."""

import json

import pytest
from faulty_server import FaultyServer, fails, says
from hashing_encoder import HashingEncoder

from solvers.knowledge.compress.compression import compress
from solvers.knowledge.language.summaries import Summariser
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.passages import Passage
from solvers.llm import ChatOptions, EndpointError

TEXT = "The base station (as it is called) sends the tasks to 10 agents in the downlink within 20 ms."


def answer(text: str):
    return says(json.dumps({"text": text}))


def options(server: FaultyServer, **more) -> ChatOptions:
    return ChatOptions(model="m", base_url=server.base_url, api_key="k", retries=0, timeout_s=5, **more)


def test_a_model_writes_what_is_sent():
    with FaultyServer(answer("BS sends tasks to 10 agents, 20 ms.")) as server, Summariser(options(server)) as writer:
        assert writer(TEXT) == writer(TEXT) == "BS sends tasks to 10 agents, 20 ms."
        assert (writer.name, writer.usage.calls, writer.faults) == ("m", 1, {})
        [body] = server.bodies
        assert TEXT in body["messages"][-1]["content"]
        assert "at most 10 words" in body["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        (fails(500), "server error"),
        (says("I would rather not."), "malformed"),
        (answer(TEXT + " And more."), "no shorter"),
        (answer(TEXT[::-1]), "no shorter"),
        (answer("   "), "no shorter"),
        (answer("Tasks go to 12 agents."), "another number"),
        (says(None, refusal="no"), "refusal"),
    ],
)
def test_after_a_fault_the_text_stays(step, fault):
    with FaultyServer(step) as server, Summariser(options(server)) as writer:
        assert writer(TEXT) == TEXT
        assert writer.faults == {fault: 1}


@pytest.mark.parametrize(
    ("text", "words"), [("two words", 1), ("three short words", 1), ("a text of six words here", 2)]
)
def test_a_share_of_the_words_is_asked_for_and_one_at_least(text, words):
    with FaultyServer(answer("x")) as server, Summariser(options(server), share=0.3) as writer:
        writer(text)
    assert f"at most {words} words" in server.bodies[0]["messages"][-1]["content"]


def test_what_a_cap_leaves_out_stays():
    with FaultyServer(answer("short")) as server, Summariser(options(server, max_calls=2)) as writer:
        writer.prepare(f"a text of some words {'again ' * i}" for i in range(5))
        assert (len(server.bodies), writer.faults) == (2, {"cap": 3})
        assert writer("one more text") == "one more text"


def test_an_endpoint_of_no_use_is_told():
    with (
        FaultyServer(fails(401)) as server,
        Summariser(options(server)) as writer,
        pytest.raises(EndpointError, match="key"),
    ):
        writer(TEXT)


def test_compression_asks_for_all_texts_at_once():
    encoder = HashingEncoder()
    passages = [Passage(f"p{i}", f"passage {i} says that beams protect and jammers jam " * 3) for i in range(12)]
    base = KnowledgeBase.build(passages, encoder)
    with FaultyServer(says('{"text": "beams protect"}', delay=0.05)) as server:
        with Summariser(options(server, concurrency=4)) as writer:
            small = compress(base, 0.8, writer=writer, encoder=encoder)
            again = compress(base, 0.5, writer=writer, encoder=encoder)
        assert server.most_at_once > 1
        assert len(server.bodies) == 12
    assert {passage.text for passage in small.passages} == {"beams protect"}
    assert len(again) <= len(small) == 12


def test_rules_stand_in_for_a_model():
    with Summariser(ChatOptions()) as writer:
        assert writer(TEXT) == "base station sends tasks 10 agents downlink 20 ms."
        assert writer.name == "no LLM"
    with pytest.raises(ValueError, match="share must be"):
        Summariser(ChatOptions(), share=1.0)


def test_what_became_of_the_texts():
    with FaultyServer(answer("BS sends tasks.")) as server, Summariser(options(server)) as writer:
        assert writer.outcome() == {"model": "m", "texts": 0, "shorter": 0, "letters": 1.0}
        writer.prepare([TEXT, f"{TEXT} Again.", "two words"])
        outcome = writer.outcome()
    assert outcome == {"model": "m", "texts": 3, "shorter": 2, "letters": (15 + 15 + 9) / (2 * len(TEXT) + 7 + 9)}


def test_many_texts_are_told(caplog):
    caplog.set_level("INFO", "secagent.llm")
    with FaultyServer(answer("short")) as server, Summariser(options(server, max_calls=120, concurrency=4)) as writer:
        writer.prepare([TEXT])
        assert not caplog.messages
        writer.prepare(f"a text of some words, with the number {number}" for number in range(150))
    assert [text for text in caplog.messages if "requests" in text] == [
        "100 of 150 requests are answered",
        "150 of 150 requests are answered",
    ]
    assert (len(server.bodies), writer.faults) == (120, {"cap": 31})

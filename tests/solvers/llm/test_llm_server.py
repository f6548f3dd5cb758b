"""The stand-in's server speaks OpenAI's protocol, to the openai library and to clients with bad manners."""

import http.client
import json
import socket
from urllib.parse import urlsplit

import pytest

from solvers.llm import ChatOptions, EndpointError, Message, Request, Session
from solvers.llm.chat import STANDIN_MODEL
from solvers.llm.server import MAX_REQUEST_BYTES, StandinServer

openai = pytest.importorskip("openai")


def rules(messages, seed):
    if messages[-1].content == "fail":
        raise RuntimeError("a secret of the inside")
    return f"{seed}: {messages[-1].role} says {messages[-1].content}"


@pytest.fixture(scope="module")
def server():
    with StandinServer(rules) as server:
        yield server


def post(server, body, path="/v1/chat/completions", method="POST", **headers):
    connection = http.client.HTTPConnection(urlsplit(server.base_url).netloc, timeout=10)
    try:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, content, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


HELLO = [{"role": "user", "content": "hello"}]


def test_the_openai_library_talks_to_it(server):
    with openai.OpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["no-LLM"]
        completion = client.chat.completions.create(model="no-LLM", messages=HELLO, seed=3)
        assert completion.choices[0].message.content == "3: user says hello"
        assert completion.choices[0].finish_reason == "stop"
        assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (5, 8)
        with client.chat.completions.create(model="no-LLM", messages=HELLO, stream=True) as stream:
            assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "0: user says hello"
        with pytest.raises(openai.NotFoundError) as caught:
            client.chat.completions.create(model="gpt-4o", messages=HELLO)
        assert caught.value.code == "model_not_found"


def test_the_answers_over_http_are_those_in_the_process(server):
    requests = [Request((Message("user", "ä\n" * seed),), "name", {}, seed=seed) for seed in range(3)]
    options = {"model": "no-LLM", "base_url": server.base_url}
    with Session(ChatOptions(**options), str) as served, Session(ChatOptions(), rules) as here:
        replies = served.ask(requests)
        assert [reply.text for reply in replies] == [reply.text for reply in here.ask(requests)]
        assert served.usage.faults == {}
    other = ChatOptions(**{**options, "model": "other"})
    with Session(other, str) as session, pytest.raises(EndpointError, match="knows no model 'other'"):
        session.ask(requests)


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "the request is not JSON"),
        (b"{", 400, "the request is not JSON"),
        (b"[" * 100_000, 400, "the request is not JSON"),
        ([], 400, "the request must be a JSON object"),
        ({}, 404, "this server has one model, 'no-LLM'"),
        ({"model": "no-LLM"}, 400, "messages must be a list of at least one message"),
        ({"model": "no-LLM", "messages": [1]}, 400, "each message must have a role and a content"),
        ({"model": "no-LLM", "messages": [{"role": "user", "content": [{}]}]}, 400, "each message must have"),
        ({"model": "no-LLM", "messages": HELLO, "seed": "1"}, 400, "seed must be an integer"),
        ({"model": "no-LLM", "messages": HELLO, "n": 2}, 400, "n must be 1"),
        ({"model": "no-LLM", "messages": HELLO, "stream": 1}, 400, "stream must be true or false"),
        ({"model": "no-LLM", "messages": [{"role": "user", "content": "fail"}]}, 500, "the stand-in failed"),
    ],
)
def test_errors_have_openais_form(server, body, status, message):
    got, answer = post(server, body)
    assert (got, set(answer), set(answer["error"])) == (status, {"error"}, {"message", "type", "param", "code"})
    assert answer["error"]["message"].startswith(message)
    assert "secret of the inside" not in json.dumps(answer)


def test_text_in_parts_and_no_seed(server):
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    _, answer = post(server, {"model": "no-LLM", "messages": [{"role": "user", "content": parts}], "seed": None})
    assert answer["choices"][0]["message"]["content"] == "0: user says ab"


def test_other_paths_methods_and_sizes_are_refused(server):
    assert post(server, b"{}", path="/v1/embeddings")[0] == 404
    assert post(server, b"", path="/", method="GET")[0] == 404
    assert post(server, b"", method="DELETE")[0] == 501
    assert post(server, b" " * (MAX_REQUEST_BYTES + 1))[0] == 413
    assert post(server, b"", Content_Length="-1")[0] == 411
    assert post(server, {"model": "no-LLM", "messages": HELLO})[0] == 200


def test_clients_that_leave_or_talk_nonsense_do_no_harm(server, capfd):
    address = urlsplit(server.base_url)
    for sent in (b"", b"\x00\xff\r\n\r\n", b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 100\r\n\r\n{"):
        with socket.create_connection((address.hostname, address.port)) as client:
            client.sendall(sent)
    assert post(server, {"model": "no-LLM", "messages": HELLO})[0] == 200
    assert capfd.readouterr() == ("", "")


def test_a_port_that_is_taken_is_told_in_a_sentence(server):
    port = urlsplit(server.base_url).port
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1, port {port} .*; choose another one"):
        StandinServer(rules, port)
    with pytest.raises(OSError, match="choose another one"):
        StandinServer(rules, 70_000)


def test_closing_frees_the_port_and_may_be_repeated():
    with StandinServer(rules) as server:
        pass
    server.close()
    again = StandinServer(rules, urlsplit(server.base_url).port)
    again.close()


@pytest.mark.parametrize("host", ["", " "])
def test_an_empty_host_is_refused(host):
    with pytest.raises(ValueError, match=r"must not be empty: give 127\.0\.0\.1 for this machine alone, or 0\.0\.0\.0"):
        StandinServer(str, 0, host)


@pytest.mark.parametrize(
    ("host", "shown", "public"),
    [
        ("127.0.0.1", "127.0.0.1", False),
        ("localhost", "localhost", False),
        ("0.0.0.0", "127.0.0.1", True),
        ("0", "127.0.0.1", True),
        ("::", "[::1]", True),
        ("::1", "[::1]", False),
    ],
)
def test_the_server_knows_who_can_ask_and_how(host, shown, public):
    if ":" in host and not ipv6():
        pytest.skip("this machine has no IPv6")
    with StandinServer(lambda messages, seed: "answer", host=host) as server:
        assert server.base_url.startswith(f"http://{shown}:")
        assert server.public == public
        with Session(ChatOptions(model=STANDIN_MODEL, base_url=server.base_url, retries=0), str) as session:
            request = Request((Message("user", "?"),), "name", {"type": "object"})
            assert session.ask([request])[0].text == "answer"


def ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True

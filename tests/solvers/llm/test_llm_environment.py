"""Proxies and certificates of the environment that cannot be used: one sentence with the variable, nothing computed."""

import sys

import pytest

pytest.importorskip("openai")

from faulty_server import FaultyServer, says, unused_port

import solvers
from eval.command.cli import main
from secagent_env import sample_instance
from solvers.llm import ChatOptions, EndpointError, Message, Request
from solvers.llm.client import OpenAIChat
from solvers.llm.environment import on_this_machine

REQUEST = Request((Message("user", "x"),), "name", {}, max_tokens=100)
ELSEWHERE = "https://no-such-host.invalid/v1"
SECRET = "a-pass-word"
BAD = [
    ("HTTP_PROXY", f"http://user:{SECRET}@proxy:port", "its host or port is none"),
    ("https_proxy", f"http://user:{SECRET}@proxy:99999", "its host or port is none"),
    ("Https_Proxy", f"user:{SECRET}@proxy:0", "its host or port is none"),
    ("ALL_PROXY", f"http://user:{SECRET}@", "its host or port is none"),
    ("HTTP_PROXY", f"http://user:{SECRET}@[::1", "its host or port is none"),
    ("HTTP_PROXY", f"http://user:{SECRET}@a host:80", "its host or port is none"),
    ("all_proxy", f"socks://user:{SECRET}@127.0.0.1:1080", "its scheme is none of http, https, socks5, socks5h"),
    ("ALL_PROXY", f"ftp://user:{SECRET}@127.0.0.1:1080", "its scheme is none of http, https, socks5, socks5h"),
    ("SSL_CERT_FILE", "/no/such/file.pem", "names /no/such/file.pem, and there is no such file"),
    ("SSL_CERT_FILE", "/", "names /, and there is no such file"),
    ("SSL_CERT_FILE", __file__, "holds no certificates"),
    ("SSL_CERT_DIR", "/no/such/folder", "names /no/such/folder, and there is no such folder"),
]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(("name", "value", "message"), BAD)
def test_what_cannot_be_used_is_told_with_the_name_of_the_variable(name, value, message, monkeypatch):
    monkeypatch.setenv(name, value)
    for options in ({"base_url": ELSEWHERE}, {"api_key": "k-12345678"}):
        for make in (
            lambda options: solvers.make("law", model="m", **options),
            lambda options: OpenAIChat("m", **options),
        ):
            with pytest.raises(EndpointError, match=f"^{name} ") as caught:
                make(options)
            assert message in str(caught.value)
            assert str(caught.value).endswith("correct or unset it")
            assert SECRET not in str(caught.value)


def test_a_socks_proxy_without_its_package_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    with pytest.raises(EndpointError, match=r"^ALL_PROXY .* one of SOCKS needs another package: pip install socksio"):
        ChatOptions(model="m", base_url=ELSEWHERE).check_chat_options()


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, value, _ in (BAD[0], BAD[6], BAD[8], BAD[11])])
@pytest.mark.parametrize("command", ["solve", "compare"])
def test_a_command_computes_nothing_and_exits_with_2(command, name, value, tmp_path, monkeypatch, capsys):
    sample_instance("small", seed=1).save(tmp_path / "i.npz")
    monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    arguments = {
        "solve": ["solve", "i.npz", "--solver", "law", "--set", 'model="m"', f'base_url="{ELSEWHERE}"'],
        "compare": ["compare", "--instances", "1", "--solvers", "asc", f'law(model="m", base_url="{ELSEWHERE}")'],
    }
    assert main(arguments[command]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"secagent: error: {name} ")
    assert shown.err.count("\n") == 1
    assert SECRET not in shown.err
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(("name", "value", "_"), BAD)
def test_none_of_it_matters_for_a_server_on_this_machine(name, value, _, monkeypatch):
    monkeypatch.setenv(name, value)
    with FaultyServer(says("{}")) as server, OpenAIChat("m", base_url=server.base_url, retries=0) as chat:
        assert chat.complete(REQUEST).text == "{}"


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_that_is_not_there_is_told(name, monkeypatch):
    monkeypatch.setenv(name, f"http://user:{SECRET}@127.0.0.1:{unused_port()}")
    url = ELSEWHERE.replace("https", "http")
    with (
        OpenAIChat("m", base_url=url, retries=0) as chat,
        pytest.raises(EndpointError, match=rf"nobody answers at {url} .* and the proxies in {name}$") as caught,
    ):
        chat.complete(REQUEST)
    assert SECRET not in str(caught.value)


def test_what_the_environment_does_not_need_is_not_read(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1")
    assert solvers.make("law").name == "law (no LLM)"
    assert solvers.make("law", model="m", replay="t.jsonl").replay == "t.jsonl"


def test_a_good_proxy_is_used(monkeypatch):
    with FaultyServer(says("{}")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.base_url.removesuffix("/v1"))
        with OpenAIChat("m", base_url=ELSEWHERE.replace("https", "http"), retries=0) as chat:
            reply = chat.complete(REQUEST)
    assert (reply.text, reply.requests, len(proxy.bodies)) == ("{}", 1, 1)


def test_an_address_in_the_environment_is_checked_before_anything_is_computed(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "localhost:8000")
    with pytest.raises(ValueError, match="OPENAI_BASE_URL must be an address"):
        solvers.make("law", model="m")


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://localhost:1/v1", True), ("http://LOCALHOST./v1", True), ("http://a.localhost/v1", True),
        ("http://127.0.0.1/v1", True), ("http://127.8.8.8/v1", True), ("http://[::1]:1/v1", True),
        ("http://[::ffff:127.0.0.1]/v1", True), ("https://api.openai.com/v1", False), ("http://128.0.0.1/v1", False),
        ("http://localhost.example/v1", False), ("http://[::2]/v1", False), ("", False),
    ],
)  # fmt: skip
def test_which_servers_are_on_this_machine(url, here):
    assert on_this_machine(url) is here

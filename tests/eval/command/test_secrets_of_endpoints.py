"""No password or key of an endpoint reaches a file, the screen or a log, whatever the server sends back."""

import json
from pathlib import Path
from urllib.parse import unquote

import pytest
from faulty_server import FaultyServer, fails, says

from eval.command.cli import main

pandas = pytest.importorskip("pandas")
pytest.importorskip("openai")

PASSWORD, QUERY, KEY = "Pass-Word%2F77", "Query-Secret-88", "Sk-Zx7-q7Xw9Zb2LkPd"
LAW = 'model="m", rounds=1, iterations=1, candidates=5, retries=0'
SOLVE = ["-v", "solve", "n.npz", "--solver", "law"]
TOML = [item.strip() for item in LAW.split(",")]


def echoes(handler) -> None:
    """Send back all that a request holds, in small letters, in capitals and cut."""
    found = [unquote(handler.path), handler.path, PASSWORD, unquote(PASSWORD), KEY]
    found += [value for name, value in handler.headers.items() if name.lower() in ("authorization", "host")]
    text = " ".join(f"{word} {word.upper()} {word.lower()} {word[3:]}" for word in found)
    step = fails(500, text) if len(handler.server.bodies) % 3 == 0 else says(f'{text} {{"selected": [0, 1]}}')
    step(handler)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert main(["-q", "sample", "--scenario", "small", "--out", "n.npz"]) == 0
    with FaultyServer(echoes) as server:
        yield server


def holds_none_of(folder: Path, shown: str) -> None:
    """Check every file as bytes, and cells as they are read."""
    texts = {"the screen": shown}
    for path in filter(Path.is_file, folder.rglob("*")):
        texts[str(path)] = path.read_bytes().decode("latin-1")
        if path.suffix == ".parquet":
            texts[f"{path}, read"] = json.dumps(pandas.read_parquet(path).to_dict("records"), default=str)
    assert len(texts) > 5
    for place, text in texts.items():
        for secret in (PASSWORD, unquote(PASSWORD), QUERY, KEY):
            runs = [secret[i : i + 8].lower() for i in range(len(secret) - 7)]
            assert not any(run in text.lower() for run in runs), place


def commands(url: str) -> list[list[str]]:
    options = [*TOML, *([f'base_url="{url}"'] if url else [])]
    law, study = f"law({', '.join(options)})", ["--model", "m", *(["--base-url", url] if url else [])]
    workers = "2" if url else "1"  # workers read the variables that are named
    return [
        [*SOLVE, "--out", "d.json", "--transcript", "--set", *options, 'transcript="t.jsonl"'],
        ["-v", "compare", "--scenario", "small", "--solvers", "randas", law, "--instances", "2", "--workers", workers],
        ["report", "results"],
        ["study", "genainet", "--pairs", "2", "--draws", "1", "--rounds", "1", *study, "--workers", "1"],
    ]


@pytest.mark.parametrize("way", ["OPENAI_BASE_URL", "named in base_url"])
def test_secrets_of_an_address_and_a_key_are_nowhere(server, tmp_path: Path, monkeypatch, capfd, way: str):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    host = server.base_url.removeprefix("http://")
    if way == "OPENAI_BASE_URL":
        monkeypatch.setenv(way, f"http://me:{PASSWORD}@{host}?api-key={QUERY}")
        url = ""
    else:
        monkeypatch.setenv("TOLD_PASSWORD", unquote(PASSWORD))
        monkeypatch.setenv("TOLD_QUERY", QUERY)
        url = f"http://me:$TOLD_PASSWORD@{host}?api-key=$TOLD_QUERY"
    for command in commands(url)[: 2 if url else None]:
        asked = len(server.bodies)
        assert main(command) == 0
        assert command[0] == "report" or len(server.bodies) > asked
    assert server.keys[0].startswith("Basic ")
    told = capfd.readouterr()
    holds_none_of(tmp_path, told.out + told.err)


def test_a_secret_among_options_is_refused_before_anything_is_written(server, tmp_path: Path, capfd):
    before = sorted(tmp_path.rglob("*"))
    for secret in (f"http://me:{PASSWORD}@h/v1", f"http://h/v1?api-key={QUERY}", f"http://{KEY}@h"):
        for command in [*commands(secret), ["reproduce", "fig4", "--law", f'model="m", base_url="{secret}"']]:
            if command[0] != "report":
                assert main(command) == 2
    (tmp_path / "g.toml").write_text(f'[[group]]\nmodel = "m"\nbase_url = "http://me:{PASSWORD}@h/v1"\n')
    assert main(["reproduce", "table5", "--groups", "g.toml"]) == 2
    (tmp_path / "g.toml").unlink()
    assert main(["solve", "n.npz", "--solver", "law", "--set", f"base_url=http://me:{PASSWORD}@h/v1"]) == 2
    assert main(["compare", "--solvers", f'law(base_url="http://me:{PASSWORD}@h/v1"']) == 2
    assert sorted(tmp_path.rglob("*")) == before
    shown = "".join(capfd.readouterr())
    assert shown.count("error: base_url must not hold a password or key here") >= 10
    for secret in (PASSWORD, QUERY, KEY):
        assert secret not in shown
    assert not server.bodies

"""What the documentation shows is true: its Python runs and prints what it says, its commands work, its links hold.

The code blocks of a page run in their order, in one folder and one namespace:

- ``python`` runs; a ``text`` block right after it is what it prints, word for word, and number for number to 1 %:
  iterations end a little differently on another processor.
- ``console``: every ``$ secagent …`` runs in this process, with exit status 0. What is shown below it is what it
  prints but for the numbers, since some of them are times; three dots stand for anything.
- An HTML comment on the line before changes that: ``<!-- not run: why -->``, ``<!-- exit status: 2 -->``, and
  ``<!-- file: name -->``, which puts the block into a file of that name.

``python tests/package/test_docs.py docs/model.md …`` writes what the blocks print now into the pages.
"""

import contextlib
import importlib
import io
import os
import re
import runpy
import shlex
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import solvers.interface.registry

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKED = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]


@dataclass(frozen=True)
class Block:
    """A fenced block, the line it begins in, the comment before it and the text block after it."""

    language: str
    content: str
    line: int
    comment: str = ""
    output: str | None = None


FENCE = re.compile(
    r"^(?:<!-- *(?P<comment>(?:(?!-->).)*?) *-->\n+)?```(?P<language>\w+)\n(?P<content>.*?)^```$"
    r"(?:\s*^```text\n(?P<output>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)


def block_of(match: re.Match[str]) -> Block:
    line = match.string.count("\n", 0, match.start("content")) + 1
    return Block(match["language"], match["content"], line, match["comment"] or "", match["output"])


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


# --- Code ----------------------------------------------------------------------------------------------------


def run(match: re.Match[str], page: Path, namespace: dict) -> Iterator[tuple[str, str, int]]:
    """Run a block of a page; yield what it shows, what it prints, and where in the page the former begins."""
    block = block_of(match)
    if block.comment.startswith("not run:"):
        return
    if block.comment.startswith("file:"):
        Path(block.comment.removeprefix("file:").strip()).write_text(block.content, encoding="utf-8")
    elif block.language == "python":
        printed = run_python(block, page, namespace)
        if block.output is not None:
            yield block.output, printed, match.start("output")
    elif block.language == "console":
        status = int(block.comment.removeprefix("exit status:")) if block.comment.startswith("exit") else 0
        for command, shown, start in commands(block.content):
            printed = run_command(command, status, f"{page}:{block.line}")
            if shown:
                yield shown, printed, match.start("content") + start


def run_python(block: Block, page: Path, namespace: dict) -> str:
    # The lines before, so that a traceback names the line of the page.
    code = compile("\n" * (block.line - 1) + block.content, str(page), "exec")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, namespace)
    return printed.getvalue()


def commands(console: str) -> Iterator[tuple[str, str, int]]:
    """Yield each command of a console block, what is shown below it, and where in the block that begins."""
    for match in re.finditer(r"^\$ ((?:.*\\\n)*.*\n)((?:(?!\$ ).*\n)*)", console, flags=re.MULTILINE):
        yield match[1].replace("\\\n", " ").strip(), match[2], match.start(2)


def run_command(command: str, status: int, where: str) -> str:
    from eval.command.cli import main

    program, *arguments = shlex.split(command, comments=True)
    assert program == "secagent", f"{where}: say why {command!r} is not run"
    with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.redirect_stderr(printed):
        found = main(arguments)
    assert found == status, f"{where}: {command}\n{printed.getvalue()}"
    return printed.getvalue()


def shape(output: str) -> str:
    """Return output without its numbers, and without the widths and units that depend on them."""
    output = re.sub(r"\d[\d.]*(e[+-]?\d+)?( ([GMkmµnpf]?(J|s)|min|h|days)\b)?", "#", output)
    return re.sub(r"-{2,}", "-", re.sub(r"[ \t]+", " ", output)).strip()


NUMBER = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"


def same(shown: str, printed: str, language: str) -> bool:
    if language == "python":
        numbers = [[float(number) for number in re.findall(NUMBER, text)] for text in (shown, printed)]
        words = [re.sub(rf" *{NUMBER}", "#", text).strip() for text in (shown, printed)]
        return words[0] == words[1] and numbers[0] == pytest.approx(numbers[1], rel=0.01, abs=0)
    pattern = re.escape(shape(shown)).replace(r"\.\.\.", ".*")
    return re.fullmatch(pattern, shape(printed), re.DOTALL) is not None


def prepare(folder: Path | str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a page have a path and solvers of its own, and compute in this process where it names no workers."""
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(solvers.interface.registry, "_factories", dict(solvers.interface.registry._factories))
    monkeypatch.setattr("eval.sweep.engine.usable_cores", lambda: 1)


@pytest.mark.pages
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_shows_happens(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path, monkeypatch)
    namespace: dict = {"__name__": "page"}
    for match in FENCE.finditer(page.read_text(encoding="utf-8")):
        for shown, printed, start in run(match, page, namespace):
            line = match.string.count("\n", 0, start) + 1
            assert same(shown, printed, match["language"]), f"{page}:{line} shows\n{shown}but it is\n{printed}"


def renew(page: Path) -> None:
    """Write what the blocks of a page print now into the page."""
    text, namespace, changes = page.read_text(encoding="utf-8"), {"__name__": "page"}, []
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        pytest.MonkeyPatch.context() as monkeypatch,
    ):
        prepare(folder, monkeypatch)
        for match in FENCE.finditer(text):
            changes += [(start, shown, printed) for shown, printed, start in run(match, page, namespace)]
    for start, shown, printed in reversed(changes):
        text = text[:start] + printed.rstrip() + "\n" + text[start + len(shown) :]
    page.write_text(text, encoding="utf-8")


# --- Links ---------------------------------------------------------------------------------------------------


def without_code(page: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL))


def targets(page: str) -> list[str]:
    return ["".join(groups) for groups in re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", without_code(page))]


def anchors(page: str) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    page = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ +(.*?) *$", page, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_links_lead_somewhere(page: Path):
    broken = []
    for link in targets(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        file = (page.parent / name).resolve() if name else page
        inside = file.is_relative_to(ROOT) and file.exists()
        if not inside or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            broken.append(link)
    assert broken == []


# --- Names ---------------------------------------------------------------------------------------------------

NAME = r"(?<![\w/.])((?:secagent_env|solvers|training|eval)(?:\.(?!(?:md|py|npz|toml|yaml|onnx)\b)\w+)+)"
ROLE = r":\w+:`~?" + NAME + "`"
CODE = [path for name in ("secagent_env", "solvers", "training", "eval") for path in (ROOT / name).rglob("*.py")]


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute or a field of what one defines."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if part in getattr(thing, "__dataclass_fields__", {}):
                return True
            if not hasattr(thing, part):
                return False
            thing = getattr(thing, part)
        return True
    return False


def test_pages_and_docstrings_name_what_exists():
    pages = [(page, NAME) for page in [*PAGES, ROOT / "CONTRIBUTING.md"]]
    missing = {
        (name_of(path), name)
        for path, pattern in [*pages, *((path, ROLE) for path in CODE)]
        for name in re.findall(pattern, path.read_text(encoding="utf-8"))
        if not exists(name)
    }
    assert missing == set()
    assert not exists("solvers.asc.nothing")


PLACE = re.compile(r"`((?:secagent_env|solvers|training|eval|tests)/[\w/.-]*)`")
"""A file or folder of the code; names in capitals stand for others."""


def test_pages_name_files_that_exist():
    places = {
        place
        for page in [*PAGES, ROOT / "CONTRIBUTING.md"]
        for place in PLACE.findall(page.read_text(encoding="utf-8"))
        if not re.search(r"[A-Z]{3}", place)
    }
    assert len(places) > 50
    assert {place for place in places if not (ROOT / place).exists()} == set()


# --- Pictures ------------------------------------------------------------------------------------------------


REPRODUCED = {f"reproduce-{name}.png" for name in ("fig4", "table4", "profiles")}
REASONING = {"genainet-table1.png", "knowledge-energy.png", "representations.png", "table5.png"}
STUDIED = {
    "asc.png",
    "experience-model.png",
    "experience.png",
    "genainet.png",
    "intent-change.png",
    "knowledge-use-drift.png",
    "law.png",
    "leaderboard.png",
    "learning-curves.png",
    "lifetime.png",
    "llm-bench.png",
    "perception.png",
    "robust.png",
    "selections.png",
    "transfer.png",
    "vocabulary.png",
}
ELSEWHERE = REPRODUCED | REASONING | STUDIED | {"report.png"}
"""Pictures that the commands of their pages draw, and a browser draws of a report."""


def test_the_picture_of_the_network_is_drawn_the_same_again(tmp_path: Path):
    pytest.importorskip("matplotlib")
    pictures = runpy.run_path(str(ROOT / "docs" / "pictures.py"))
    for folder in ("first", "second"):
        pictures["main"](["network.png", "--out", str(tmp_path / folder)])
    first, second = (tmp_path / folder / "network.png" for folder in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()
    assert set(pictures["PICTURES"]) | ELSEWHERE == {path.name for path in (ROOT / "docs" / "images").iterdir()}


# --- The checks themselves -----------------------------------------------------------------------------------

PAGE = """\
<!-- file: given.txt -->
```toml
7
```

```python
with open("given.txt") as file:
    print(int(file.read()))
```

```text
8
```

<!-- not run: it never ends -->
```console
$ make
```
"""


def test_blocks_are_found_with_their_comment_and_their_output():
    given, python, console = map(block_of, FENCE.finditer(PAGE))
    assert given == Block("toml", "7\n", 3, "file: given.txt")
    assert (python.line, python.output) == (7, "8\n")
    assert console == Block("console", "$ make\n", 17, "not run: it never ends")
    [after] = map(block_of, FENCE.finditer("<!-- end -->\n\ntext\n\n<!-- not run: why -->\n```console\n$ make\n```\n"))
    assert after.comment == "not run: why"


def test_a_wrong_output_is_noticed_and_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    with pytest.raises(AssertionError, match=r"page\.md:12 shows\s+8\s+but it is\s+7"):
        test_what_a_page_shows_happens(page, tmp_path, monkeypatch)
    renew(page)
    assert page.read_text() == PAGE.replace("\n8\n", "\n7\n")
    test_what_a_page_shows_happens(page, tmp_path, monkeypatch)


def test_what_may_differ_is_numbers_of_commands_and_a_little_of_those_of_python():
    assert same("| a  | 1.5 ms |\n|----|---|", "| a |   12 s |\n|-|--|", "console")
    assert same("a\n...\nz", "a\nb\nc\nz", "console")
    assert not same("3 feasible", "3 failed", "console")
    assert same("a  999 J, 2e-09", "a 1000 J, 2e-09", "python")
    assert not same("a 7 J", "a 8 J", "python")
    assert not same("a 7 J", "b 7 J", "python")
    console = "$ a \\\n    b\nout\n\nput\n$ c\n"
    assert list(commands(console)) == [("a      b", "out\n\nput\n", 12), ("c", "", len(console))]


def test_a_command_that_fails_or_is_not_ours_is_noticed():
    with pytest.raises(AssertionError, match="unknown preset"):
        run_command("secagent sample --scenario papr --out x.npz", 0, "page.md:1")
    with pytest.raises(AssertionError, match="say why 'make' is not run"):
        run_command("make", 0, "page.md:1")


def test_a_broken_anchor_is_noticed():
    assert anchors("# The model, `precisely`\n## 2. A – b\n") == {"the-model-precisely", "2-a--b"}
    assert targets("[a](b.md#c) `[x](y)` ![d](e.png)") == ["b.md#c", "e.png"]


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "Agg")
    for argument in sys.argv[1:]:
        renew(Path(argument).resolve())

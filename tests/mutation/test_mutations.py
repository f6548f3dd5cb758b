"""The mutations, how they are drawn and named, and what becomes of a mutant."""

import subprocess
from pathlib import Path

import mutants
import pytest
from mutations import draw, mutants_of

SOURCE = '''\
"""A docstring with 1 + 1."""
import numpy as np

def rate(sinr: float, noise: float = 0.5) -> float:
    """Return something."""
    if sinr < 0:
        raise ValueError(f"sinr must be ≥ {0 + 0}")
    total = sinr + noise  # ²
    logger.info("it is %d", 1 + 2)
    return np.sum(np.maximum(total, 1e-9) / (1 + noise), axis=-1)
'''


def changes(source: str) -> set[str]:
    return {f"{mutant.before} -> {mutant.after}" for mutant in mutants_of("a.py", source)}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("first + second", {"(first - second)", "first", "second"}),
        ("first - second", {"(first + second)", "first"}),
        ("first * second", {"(first / second)", "first", "second"}),
        ("first < second", {"(first <= second)", "(first >= second)"}),
        ("first and second", {"(first or second)", "first", "second"}),
        ("one if test else other", {"(other if test else one)"}),
        ("-first_value", {"first_value"}),
        ("np.minimum(a)", {"np.maximum(a)"}),
        ("f(number, axis=0)", {"f(number, axis=1)"}),
        ("f(number, cut=True)", {"f(number)", "f(number, cut=False)"}),
        ("f(number, 1e-09)", {"f(number, 1e-06)"}),
        ("f(number, 0.5)", {"f(number, 1.0)"}),
        ("np.conj(number)", {"number"}),
        ("number.conj()", {"number"}),
        ("logger.info(1 + 2)", set()),
        ("(first + second) * third", {"((first + second) / third)", "(first + second)", "third"}),
    ],
)
def test_the_kinds_of_mutations(source: str, expected: set[str]):
    found = {mutant.after for mutant in mutants_of("a.py", f"x = {source}\n") if mutant.before == source}
    assert found == expected


def test_messages_annotations_and_logs_stay_as_they_are():
    found = changes(SOURCE)
    assert found == {
        "0.5 -> 1.0",
        "sinr < 0 -> (not sinr < 0)", "sinr < 0 -> (sinr <= 0)", "sinr < 0 -> (sinr >= 0)", "sinr < 0 -> (sinr < 1)",
        "sinr + noise -> (sinr - noise)", "sinr + noise -> sinr", "sinr + noise -> noise",
    } | {change for change in found if "np." in change or "1 + noise" in change}  # fmt: skip
    assert "np.maximum(total, 1e-09) -> np.minimum(total, 1e-09)" in found
    assert any(change.endswith("axis=-2)") for change in found)


def test_a_mutant_is_the_source_with_one_expression_changed():
    for mutant in mutants_of("a.py", SOURCE):
        changed = mutant.apply(SOURCE)
        assert changed != SOURCE
        same = [line for line in SOURCE.splitlines() if line in changed.splitlines()]
        assert len(same) >= len(SOURCE.splitlines()) - 1
    (moved,) = (m for m in mutants_of("a.py", SOURCE) if m.after == "(sinr - noise)")
    assert "    total = (sinr - noise)  # ²" in moved.apply(SOURCE)
    assert moved.name == "a.py:rate: sinr + noise -> (sinr - noise)"


def test_lines_that_move_and_other_files_leave_names_and_draw_as_they_were():
    here, moved = mutants_of("a.py", SOURCE), mutants_of("a.py", SOURCE.replace("import numpy", "\n\nimport numpy"))
    assert [mutant.name for mutant in here] == [mutant.name for mutant in moved]
    assert len({mutant.name for mutant in here}) == len(here)
    alone = draw(here, len(here), seed=3)
    beside = draw([*here, *mutants_of("b.py", SOURCE)], 2 * len(here), seed=3)
    assert [mutant for mutant in beside if mutant.file == "a.py"] == alone
    assert draw(here, 5, seed=4) != draw(here, 5, seed=3)


def test_every_file_and_test_that_is_named_is_there():
    found = mutants.groups(mutants.ROOT)
    files = [file for group in found for file in group.files]
    assert len(files) == len(set(files)) > 50
    assert sum(len(group.tests) for group in found) > 20


def test_equivalent_mutants_are_there_and_have_reasons():
    argued = mutants.equivalents()
    files = {name.partition(":")[0] for name in argued}
    names = {mutant.name for file in files for mutant in mutants_of(file, (mutants.ROOT / file).read_text())}
    assert argued.keys() - names == set()
    assert all(len(reason) > 20 for reason in argued.values())


TESTED = "from thing import double\n\ndef test_double():\n    assert double(2) == 4\n"


@pytest.mark.slow
def test_a_mutant_is_noticed_or_survives_or_hangs_and_the_tree_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    source = "def double(x):\n    while x < 0:\n        x = x + 1\n    return x + x\n"
    copy = tmp_path / "tree"
    copy.mkdir()
    (copy / "thing.py").write_text(source)
    (copy / "test_thing.py").write_text(TESTED)
    by_name = {mutant.name.partition(": ")[2]: mutant for mutant in mutants_of("thing.py", source)}

    def judged(name: str, last: str = "", seconds: float = 60.0) -> tuple[bool, str]:
        row = mutants.judge(copy, by_name[name], ("test_thing.py",), seconds, last)
        assert (copy / "thing.py").read_text() == source
        return row["noticed"], row["by"]

    assert judged("x + x -> (x - x)", last="test_thing.py::test_gone") == (True, "test_thing.py::test_double")
    assert judged("x < 0 -> (x <= 0)") == (False, "")
    assert judged("x < 0 -> (x >= 0)", seconds=2.0) == (True, "the time")
    asked = []
    monkeypatch.setattr(
        mutants, "run_tests", lambda copy, tests, seconds: asked.append(tests) or ("failed", "FAILED t::t")
    )
    assert judged("x + x -> (x - x)", last="test_thing.py::test_double") == (True, "t::t")
    assert asked == [("test_thing.py::test_double",)]


def test_results_are_kept_for_the_same_code_and_a_killer_for_any(tmp_path: Path):
    path = tmp_path / "results.jsonl"
    row = {"name": "a.py:f: x -> y", "noticed": True, "by": "t.py::t", "seconds": 1.0}
    mutants.Results(path, {"a.py": "one", "b.py": "two"}).add(row)
    with path.open("a") as file:
        file.write('{"name": "cut of')
    same, other = mutants.Results(path, {"a.py": "one"}), mutants.Results(path, {"a.py": "two", "b.py": "one"})
    assert same.known[row["name"]]["noticed"]
    assert other.known == mutants.Results(path, {}).known == {}
    assert same.last == other.last == {row["name"]: "t.py::t"}


def test_copies_hold_the_working_tree_and_are_gone_after(tmp_path: Path):
    root = tmp_path / "root"
    root.mkdir()
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    (root / ".gitignore").write_text("left/\n")
    (root / "left").mkdir()
    (root / "left" / "out.py").write_text("x = 1\n")
    (root / "a.py").write_text("x = 1\n")
    files = mutants.tree(root)
    assert files == [".gitignore", "a.py"]
    with mutants.copies(root, files, 2) as queue:
        folders = [queue.get() for _ in range(2)]
        assert [(folder / "a.py").read_text() for folder in folders] == ["x = 1\n"] * 2
    assert not folders[0].exists()


def test_one_digest_tells_states_of_the_code_and_of_a_groups_tests_apart(tmp_path: Path):
    files = ["a.py", "tests/conftest.py", "tests/mutation/mutants.py", "tests/test_a.py", "tests/test_b.py"]
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    tests = ("tests/test_a.py::test_x", "-k", "not slow")
    before = mutants.digest(tmp_path, files, tests)
    assert mutants.digest(tmp_path, files, ("tests/test_a.py::test_y",)) != before
    changed = []
    for name in files:
        (tmp_path / name).write_text("x = 2\n")
        changed.append(mutants.digest(tmp_path, files, tests) != before)
        (tmp_path / name).write_text("x = 1\n")
    assert dict(zip(files, changed, strict=True)) == dict.fromkeys(files[:2], True) | {
        files[2]: False, files[3]: True, files[4]: False,
    }  # fmt: skip

"""The numbers of language models in the documentation follow from the recordings that are shipped, digit for digit."""

from pathlib import Path

import pytest
from documentation.replayed import missing, output_of, replayed

from eval.experiments.recorded import ENDING, SCORES, SHIPPED, find, sums
from solvers.answer_scores.files import read_scores
from solvers.recordings import read_recording

ROOT = Path(__file__).parents[2]
PAGES = {page.name: page.read_text(encoding="utf-8") for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]}
COMMANDS = sorted({command for page in PAGES.values() for command, _ in replayed(page)})
MOST_BYTES = 20_000_000
"""Of all recordings together."""


@pytest.mark.replay
@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_page_shows_follows_from_its_recording(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    printed = output_of(command)
    for name, page in PAGES.items():
        for named, shown in replayed(page):
            assert named != command or missing(shown, printed) == [], f"{name}: record anew, or show what it gives"


def test_recordings_are_whole_and_small():
    shipped = sorted(path for path in SHIPPED.iterdir() if path.name.endswith((ENDING, SCORES)))
    assert sums().keys() == {path.name for path in shipped}
    for path in shipped:
        if path.name.endswith(SCORES):
            assert read_scores(find(path.name.removesuffix(SCORES), None, SCORES))
        else:
            assert read_recording(find(path.name.removesuffix(ENDING), None)).command
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < MOST_BYTES


PRINTED = """## Table

| model   |   right |
|:--------|--------:|
| m       | 61.5 %  |

Means over 3 networks;
all of them.
"""


@pytest.mark.parametrize(
    ("shown", "lacking"),
    [
        ("| model | right |\n|---|---|\n| m | 61.5 % |", []),
        ("\n| m | 61.5 % |\n\nMeans over 3\nnetworks;\n", []),
        ("| model | right |\n| m | 61.4 % |", ["| m | 61.4 % |"]),
        ("Means over 4 networks", ["Means over 4 networks"]),
        ("| m | 61.5 % |\n\n| n | 61.5 % |", ["| n | 61.5 % |"]),
    ],
)
def test_another_digit_is_missed(shown, lacking):
    [(command, part)] = replayed(f"x\n<!-- replayed: secagent reproduce\nt --replay -->\n{shown}\n<!-- end -->\ny")
    assert command == "secagent reproduce t --replay"
    assert missing(part, PRINTED) == lacking

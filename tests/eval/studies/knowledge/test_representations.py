import numpy as np
import pytest
from hashing_encoder import HashingEncoder

from eval.command.cli import main
from eval.studies.representations import cells
from eval.studies.representations.cells import FOUND, Representation, measure
from eval.studies.representations.study import claims, markdown
from secagent_env import questions
from solvers.knowledge.corpus import explanations


@pytest.fixture(scope="module")
def rows():
    sample = questions.load("sample")
    return measure(explanations(sample), sample[:20], HashingEncoder())


def test_a_row_for_each_representation(rows):
    assert [row.structure for row in rows] == ["vectors"] * 6 + ["graph", "topology", "topology"]
    by = {row.name: row for row in rows}
    texts, binary, whole = (row.sent_bits for row in (rows[0], by["vectors, binary"], by["vectors, float32"]))
    assert texts < binary < by["vectors, int8"].sent_bits < whole
    assert texts < by["topology, simplices"].sent_bits < by["topology, all faces"].sent_bits
    assert by["vectors, float32"].recall == 1
    assert by["vectors, float32, ivf"].recall > 0.9  # ties
    assert all(0 <= row.recall <= 1 and row.own is not None and row.right.size == 20 for row in rows)


def test_the_table_and_the_claims_follow_from_the_figures():
    def row(name, kilobytes, build_s):
        return Representation(name, "vectors", int(8e3 * kilobytes), build_s, 0.001, 0.5, 0, 0, 1, 2)

    own = [
        *(row("texts alone", 10, 1), row("vectors, float32", 19, 1), row("vectors, int8", 15, 1)),
        *(row("vectors, binary", 12, 1), row("graph", 20, 2)),
        *(row("topology, simplices", 30, 3), row("topology, all faces", 100, 3)),
    ]
    text = claims(own)
    assert text.count("*: holds here") == 3
    assert "(binary 0.6, int8 0.75, float32 0.95 of the graph's bits)" in text
    assert "(as simplices 1.5, with all faces 5 of the graph's bits)" in text
    own[4] = row("graph", 14, 0.5)
    assert "graph*: holds only binary here" in claims(own)
    assert "(with an encoder 2 of its time)" in claims(own)
    assert claims(own).count("does not hold") == 1
    line = next(line for line in markdown(own, "T", 3).splitlines() if "vectors, int8" in line)
    assert [cell.strip() for cell in line.split("|")[2:8]] == ["15.0 kB", "1.50", "1 s", "1 ms", "50.0%", "–"]


def test_questions_never_read_their_own_explanations():
    sample = questions.load("sample")
    passages = explanations(sample)
    read = []

    class Reader:
        def answer_all(self, asked, texts):
            read.extend(zip(asked, texts, strict=True))
            return [type("Answer", (), {"option": question.answer}) for question in asked]

    everything = np.tile(np.arange(len(passages)), (len(sample), 1))
    assert cells._right(passages, sample, everything, Reader()) == len(sample)
    assert all(question.explanation not in texts for question, texts in read)
    hits, asked = cells._own(passages, sample, everything[:, :FOUND])
    assert hits < 0.2 * asked


def test_nothing_to_compare_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        measure([], questions.load("sample"), HashingEncoder())


def test_the_command_writes_table_and_picture(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("SECAGENT_DATA", raising=False)
    monkeypatch.setattr(cells, "default_encoder", HashingEncoder)
    arguments = ["study", "representations", "--questions", "5", "--passages", "30", "--out", str(tmp_path / "new")]
    assert main(arguments) == 0
    assert capsys.readouterr().out.startswith("### Sample: 30 passages, 5 questions")
    assert {file.name for file in (tmp_path / "new").iterdir()} == {
        *("cells", "representations.md", "representations.csv", "representations.png", "representations.pdf"),
    }
    assert main(["study", "representations", "--questions", "0"]) == 2
    assert "questions must be an integer ≥ 1, got 0" in capsys.readouterr().err

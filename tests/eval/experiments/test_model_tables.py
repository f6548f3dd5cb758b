"""Table V, Table 1 and Table 2 with models, by small scores that are made here and by stand-ins behind endpoints."""

from types import SimpleNamespace

import numpy as np
import pytest

from eval.command.cli import main
from eval.experiments.genainet_power.models import ModelPowerGames
from eval.experiments.knowledge_transfer.cells_endpoints import CONDITIONS
from eval.experiments.knowledge_transfer.models import ModelStudents, Student
from eval.experiments.model_votes.experiment import ModelVotes
from eval.experiments.model_votes.measured import Measured, read_all
from eval.experiments.model_votes.results import accuracy_bounds, binding_accuracy
from eval.experiments.model_votes.tables import verdict
from eval.experiments.model_votes.voting import Votes, composition_of
from eval.experiments.protocol import run
from eval.stats.statistics import Interval
from solvers import standins
from solvers.answer_scores.files import FORMAT, Scored, ScoreFile, read_scores
from solvers.answer_scores.scores import Scores
from solvers.llm.chat import STANDIN_MODEL
from solvers.llm.server import StandinServer
from solvers.reasoning.vote_theory import expected_accuracy

pytest.importorskip("pandas")

SIZES = {"arc-easy": 4, "arc-challenge": 4, "boolq": 2}
SKILLS = {"small": (576, 0.2), "middle": (896, 1.0), "large": (1536, 2.5)}
HOW = {"workers": 1, "progress": False}


def about(model, width):
    return {"format": FORMAT, "version": 1, "model": model, "dim": width, "sets": {}, "seed": 0}


def scores_of(model, count=60):
    """Return what a model of a known skill would be measured to answer."""
    width, skill = SKILLS[model]
    answers, own = np.random.default_rng(0), np.random.default_rng(width)
    questions = []
    for name, size in SIZES.items():
        for number in range(count):
            right = int(answers.integers(size))
            logits = own.normal(size=size) + skill * (np.arange(size) == right)
            letter = logits - np.log(np.exp(logits).sum())
            questions.append(Scored(name, f"{name}-{number}", size, right, Scores(letter=tuple(letter.tolist()))))
    return ScoreFile(about(model, width), tuple(questions))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scores")
    for model in SKILLS:
        (folder / model).write_bytes(scores_of(model).to_bytes())
    return [folder / model for model in ("large", "small", "middle")]


def test_calibration_and_voted_questions_are_apart(files):
    read = read_all(files)
    assert [file.model for file in read] == ["small", "middle", "large"]  # by width
    measured = Measured.of("arc-easy", read)
    assert (measured.calibration, measured.answers.size) == (20, 40)
    voted = [each for number, each in enumerate(read[2].of("arc-easy")) if number % 3 != 2]
    assert measured.answers.tolist() == [each.answer for each in voted]
    np.testing.assert_allclose(measured.distributions.sum(axis=-1), 1)
    expected = measured.readouts[2].distribution(voted[7].scores)
    np.testing.assert_allclose(measured.distributions[2, 7], expected)
    np.testing.assert_allclose(measured.drawn[2, 7], expected[voted[7].answer])
    assert measured.accuracy[0] < measured.accuracy[1] < measured.accuracy[2]
    # What is voted on tells nothing of Acc_n.
    changed = [
        ScoreFile(file.about, tuple(_spoilt(each) if number % 3 != 2 else each for number, each in _numbered(file)))
        for file in read
    ]
    assert Measured.of("arc-easy", changed).accuracy.tolist() == measured.accuracy.tolist()


def _numbered(file):
    return [(number % 60, each) for number, each in enumerate(file.questions)]


def _spoilt(scored):
    return Scored(
        scored.data_set, scored.key, scored.num_options, scored.answer, Scores(letter=(-1.0,) * scored.num_options)
    )


def test_acc_min_binds_and_can_be_met(files):
    measured, sizes = Measured.of("arc-easy", read_all(files)), (12, 12, 6)
    small, middle, large = measured.accuracy
    assert accuracy_bounds(measured, sizes) == pytest.approx(
        (small, (12 * small + 12 * middle + 6 * large) / 30, (4 * middle + 6 * large) / 10)
    )
    _, any_ten, most = accuracy_bounds(measured, sizes)
    assert any_ten < binding_accuracy(measured, sizes) < most


def test_votes_are_counted_by_composition(files):
    measured = Measured.of("boolq", read_all(files))
    votes = Votes(measured)
    alone = votes.of((0, 0, 1))
    np.testing.assert_allclose(alone, measured.drawn[2])
    p = measured.distributions[2, 0, measured.answers[0]]
    assert votes.of((0, 0, 3))[0] == pytest.approx(expected_accuracy([p] * 3, 2))
    assert composition_of([0, 11, 12, 29], (12, 12, 6)) == (2, 1, 1)
    assert votes.right([(1, 0, 0), (0, 0, 1)]).shape == (2, 40)


@pytest.fixture(scope="module")
def report(files, tmp_path_factory):
    """Return the report on one data set and two networks, and its folder."""
    out = tmp_path_factory.mktemp("out")
    for path in files:
        [file] = read_scores(path)
        (out / path.name).write_bytes(ScoreFile(file.about, tuple(file.of("boolq"))).to_bytes())
    return run(ModelVotes(2, distributions=[out / path.name for path in files]), out, **HOW), out


def test_table_v_with_models(report):
    text, out = report
    assert "One pass per model and question" in text
    assert "6 agents with large" in text
    assert text.count("BoolQ") > 10
    assert "ARC" not in text
    assert "asc over randas" in text
    assert "ten of large" in (out / "table5-models.csv").read_text()
    assert [file.model for file in read_scores(out / "table5-models.scores.xz")] == ["small", "middle", "large"]


def test_a_recording_gives_the_same_table(report, tmp_path, capsys):
    text, out = report
    recording = out / "table5-models.scores.xz"
    again = ["reproduce", "table5-models", "--replay", str(recording), "--instances", "2", "--workers", "1"]
    assert main([*again, "--out", str(out)]) == 0
    assert capsys.readouterr().out == text
    damaged = tmp_path / "damaged.xz"
    damaged.write_bytes(recording.read_bytes()[:-30])
    assert main(["reproduce", "table5-models", "--replay", str(damaged), "--out", str(tmp_path)]) == 2
    assert "is damaged" in capsys.readouterr().err


def test_another_answer_changes_the_accuracies(files, tmp_path):
    [file] = read_scores(files[0])
    turned = [
        Scored(each.data_set, each.key, each.num_options, each.answer, Scores(letter=each.scores.letter[::-1]))
        for each in file.questions
    ]
    path = tmp_path / "large"
    path.write_bytes(ScoreFile(file.about, tuple(turned)).to_bytes())
    before, after = (Measured.of("boolq", read_all([each, *files[1:]])) for each in (files[0], path))
    assert before.accuracy[2] != after.accuracy[2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda files: files[:2], "the scores of 3 models, one for each group, got 2"),
        (lambda files: [*files, files[0]], "a model is scored in two files"),
        (lambda files: [], "no scores are named: measure models with"),
    ],
)
def test_it_takes_a_model_for_each_group(files, change, message):
    with pytest.raises(ValueError, match=message):
        ModelVotes(1, distributions=change(files)).cells()


def test_models_that_were_asked_other_questions_are_refused(files):
    read = read_all(files)
    turned = ScoreFile(read[0].about, read[0].questions[::-1])
    with pytest.raises(ValueError, match="asked different questions of boolq"):
        Measured.of("boolq", [turned, *read[1:]])
    with pytest.raises(ValueError, match="scores of 2 questions"):
        Measured.of("boolq", [ScoreFile(file.about, tuple(file.of("boolq")[:2])) for file in read])


@pytest.mark.parametrize(
    ("low", "high", "said"), [(0.1, 0.2, "yes"), (-0.1, 0.2, "not told apart"), (-0.2, -0.1, "no, the other way round")]
)
def test_verdicts_are_those_of_the_interval(low, high, said):
    assert verdict(Interval((low + high) / 2, low, high, 9)) == said


def student(right_by_condition, tmp_path):
    """Write the scores of a student that is right on given questions; a right answer is letter B."""
    lines = [
        Scored(
            condition.label,
            f"q-{number}",
            4,
            1,
            Scores(letter=(-2.0, -1.0 if right else -3.0, -4.0, -4.0)),
            category="Lexicon" if number < 2 else "Research overview",
        )
        for condition, rights in zip(CONDITIONS, right_by_condition, strict=True)
        for number, right in enumerate(rights)
    ]
    path = tmp_path / "student"
    path.write_bytes(ScoreFile(about("m", 8), tuple(lines)).to_bytes())
    return path


def test_table_1_of_a_student(tmp_path):
    path = student([(0, 0, 0, 1), (1, 0, 1, 1), (1, 1, 1, 1), (1, 1, 1, 0, 1)], tmp_path)
    text = run(ModelStudents(students=[path]), tmp_path, **HOW)
    assert "4 questions, a guess is right on 25.0%" in text
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    overall = {line[1]: line[2:] for line in lines if line[:1] == ["Overall"]}
    assert [overall[condition.label][0].split(" %")[0] for condition in CONDITIONS] == ["25", "75", "100", "75"]
    assert overall["no knowledge"][1] == "69.2%"
    lexicon = {line[1]: line[2:] for line in lines if line[:1] == ["Lexicon"]}
    assert lexicon["full"][0].startswith("100 %")
    assert lexicon["no knowledge"][0].startswith("0 %")
    differences = {line[0]: line[1] for line in lines if len(line) == 2}
    assert differences["full less no knowledge"].startswith("+75.0")
    again = ModelStudents().replayed(tmp_path / "genainet-table1-models.scores.xz")
    assert run(again, tmp_path, **HOW) == text


def test_a_student_needs_scores_in_all_conditions(tmp_path):
    path = student([(1,), (1,), (1,), ()], tmp_path)
    with pytest.raises(ValueError, match="of m, no question is scored in all conditions"):
        Student.of(read_scores(path)[0])
    with pytest.raises(ValueError, match="no scores are named"):
        ModelStudents().report(None)


def test_table_2_with_a_model_is_recorded_and_replayed(tmp_path, capsys):
    pytest.importorskip("openai")
    groups, out = tmp_path / "groups.toml", tmp_path / "out"
    command = ["reproduce", "genainet-table2-models", "--instances", "1", "--workers", "1", "--out"]
    with StandinServer(standins.reply) as server:
        groups.write_text(f'[[group]]\nmodel = "{STANDIN_MODEL}"\nbase_url = "{server.base_url}"\n')
        assert main([*command, str(out), "--groups", str(groups)]) == 0
    text = capsys.readouterr().out
    assert "### What talk is worth" in text
    assert "dpc" in text
    assert "optimum" in text
    recording = out / "genainet-table2-models.recording.xz"
    replay = ["reproduce", "genainet-table2-models", "--replay", str(recording), "--workers", "1"]
    assert main([*replay, "--out", str(tmp_path / "again")]) == 0
    assert capsys.readouterr().out == text


def test_table_2_needs_a_model(tmp_path):
    groups = tmp_path / "groups.toml"
    for content, message in (
        ("[[group]]\nagents = 2\n", "needs one language model"),
        ('[[group]]\nmodel = "a"\nplanning = "tree"\n', "planning is an option of agents that answer questions"),
    ):
        groups.write_text(content)
        with pytest.raises(ValueError, match=message):
            ModelPowerGames.from_arguments(SimpleNamespace(groups=groups, instances=1, seed=0))
    with pytest.raises(ValueError, match="needs one language model"):
        ModelPowerGames.from_arguments(SimpleNamespace(groups=None, instances=1, seed=0))

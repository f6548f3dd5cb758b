"""llm-bench: a model is recorded once, whatever interrupts it, and every figure is recomputed from its recording."""

import contextlib
import dataclasses
import io
import lzma
import math
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("openai")

from faulty_server import FaultyServer, breaks_off, completion
from habits import server_with

from eval.command.cli import main
from eval.stats.statistics import Interval
from eval.studies.llm_bench import bench, estimate
from eval.studies.llm_bench.bench import LawModels, LLMBench
from eval.studies.llm_bench.cells import Watch
from eval.studies.llm_bench.ladder import PROTOCOLS, STEPS, Task, network
from eval.studies.llm_bench.picture import over_bound as curve
from eval.studies.llm_bench.recording import Asked, Book, tasks_in
from eval.studies.llm_bench.results import Results, Solve, over_bound, versus
from eval.studies.llm_bench.tables import sentence, signed
from solvers import make
from solvers.exact.solver import Exact
from solvers.law import perturbing_standin, prompts
from solvers.llm.caps import Usage
from solvers.llm.chat import Message, Reply
from solvers.recordings import read_recording, write_recording

RECORDING = "llm-bench-short-mine.recording.xz"
QUICK = ["--steps", "small", "--instances", "1", "--views", "ranked", "--out", "out"]


def rules(body):
    """Answer as the stand-in does."""
    return completion(perturbing_standin.reply([Message(**message) for message in body["messages"]], body["seed"]))


ANSWERS = server_with(answer=rules)


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench, "CONTROL_SEEDS", 1)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def record(server, *arguments, model="mine"):
    url = ["--base-url", server.base_url, "--timeout", "5"]
    return main(["-q", "llm-bench", "--workers", "1", "--model", model, *url, *QUICK, *arguments])


@pytest.fixture(scope="module")
def recorded_run(tmp_path_factory):
    """The folder of a run with a model that answers as the stand-in does, and what was printed."""
    folder = tmp_path_factory.mktemp("recorded")
    with pytest.MonkeyPatch.context() as patch, FaultyServer(ANSWERS) as server:
        patch.chdir(folder)
        patch.setattr(bench, "CONTROL_SEEDS", 1)
        patch.setenv("OPENAI_API_KEY", "k")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            assert record(server) == 0
        assert len(server.bodies) == 9
    return folder, printed.getvalue()


@pytest.fixture
def shown(recorded_run, tmp_path):
    """What the run printed without its estimate; its folder lies in the working directory."""
    folder, printed = recorded_run
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    told, _, shown = printed.partition("\n")
    assert told.startswith("mine: 1 solves, at most 9 calls, about ")
    return shown


def row(text, *cells):
    """Return the cells of the first row of a table that begins with these."""
    for line in text.splitlines():
        found = [cell.strip() for cell in line.split("|")[1:-1]]
        if tuple(found[: len(cells)]) == cells:
            return found
    raise AssertionError(f"no row {cells} in {text}")


def test_a_model_that_answers_as_the_stand_in_comes_to_what_the_stand_in_comes_to(shown):
    model, control = (row(shown, "small", "ranked", label) for label in ("mine", "law (no LLM)"))
    assert (model[3], model[9], control[3]) == ("1", "9", "1")
    solo = make("law", rounds=1, iterations=3).solve(network("small", 7700), 0)
    assert model[11] == str(solo.evaluations)
    assert model[6] == "100 %"
    assert model[8].startswith(f"{100 * solo.usage['improved'] / 9:.3g} %")
    assert row(shown, "mine", "small", "ranked", "law (no LLM)")[4] == "1"
    assert "At equal evaluations, mine beats law (no LLM) nowhere" in shown


def test_the_recording_gives_the_same_report_without_a_model(shown, tmp_path):
    assert tasks_in(tmp_path / "out" / RECORDING) == [Task("small", 7700)]
    shutil.move(f"out/{RECORDING}", "mine.xz")
    assert main(["-q", "llm-bench", "--replay", "mine.xz", "--out", "again", "--workers", "1"]) == 0
    assert (tmp_path / "again" / "llm-bench.md").read_text() == (tmp_path / "out" / "llm-bench.md").read_text() == shown
    for name in ("llm-bench.png", "llm-bench-calls.png", "llm-bench-tokens.png"):
        assert (tmp_path / "again" / name).stat().st_size > 10_000
    assert (tmp_path / "again" / "llm-bench.csv").read_text().count(
        "mine"
    ) == 17  # 1 reached; 2 groups, 4 rivals, 2 efforts


def test_a_changed_reply_stops_the_replay_and_a_changed_prompt_names_the_command(shown, tmp_path, capsys, monkeypatch):
    path = tmp_path / "out" / RECORDING
    content = lzma.decompress(path.read_bytes())
    path.write_bytes(lzma.compress(content.replace(b"selected", b"selectee", 1)))
    replay = ["-q", "llm-bench", "--replay", str(path), "--out", "again", "--workers", "1"]
    assert main(replay) == 2
    assert "is damaged" in capsys.readouterr().err
    path.write_bytes(lzma.compress(content))
    monkeypatch.setattr(prompts, "SYSTEM", prompts.SYSTEM + " Think.")
    assert main(replay) == 2
    said = capsys.readouterr().err
    assert "record anew with: secagent -q llm-bench --workers 1 --model mine" in said


def test_an_endpoint_that_dies_is_told_and_the_same_command_asks_for_the_rest(capsys, tmp_path):
    two = ["--views", "ranked", "raw"]
    with FaultyServer(*[ANSWERS] * 12, breaks_off) as server:
        assert record(server, *two) == 0
    told = capsys.readouterr()
    assert "1 of 2 solves did not end, the first with: stopped after" in told.err
    assert tasks_in(tmp_path / "out" / RECORDING) == [Task("small", 7700)]
    with FaultyServer(ANSWERS) as server:
        assert record(server, *two) == 0
        assert len(server.bodies) == 18 - 12
    assert [task.view for task in tasks_in(tmp_path / "out" / RECORDING)] == ["ranked", "raw"]
    assert row(capsys.readouterr().out, "small", "raw", "mine")


def test_models_join_a_folder_and_other_sampling_does_not(shown, capsys):
    with FaultyServer(ANSWERS) as server:
        assert record(server, "--unstructured", "small", model="an/other") == 0
        assert {"response_format" in body for body in server.bodies} == {True, False}
        joined = capsys.readouterr().out
        assert row(joined, "small", "ranked", "mine") == row(shown, "small", "ranked", "mine")
        assert row(joined, "small", "ranked", "an/other")
        assert row(joined, "small", "ranked, no schema", "an/other")
        assert record(server, "--temperature", "0.1") == 2
    assert "use another --out" in capsys.readouterr().err


def test_a_recording_is_extended_and_nothing_of_it_is_asked_again(shown, tmp_path, capsys):
    (tmp_path / "more").mkdir()
    published = shutil.copy(tmp_path / "out" / RECORDING, tmp_path / "more")
    before = read_recording(published).cells
    with FaultyServer(ANSWERS) as server:
        assert record(server, "--out", "more", "--views", "ranked", "raw") == 0
        assert len(server.bodies) == 9
    printed = capsys.readouterr().out
    assert printed.startswith("mine: 1 solves, at most 9 calls")
    assert row(printed, "small", "ranked", "mine") == row(shown, "small", "ranked", "mine")
    assert [task.view for task in tasks_in(published)] == ["ranked", "raw"]
    assert before.items() <= read_recording(published).cells.items()


def test_what_a_recording_holds_stays_where_fewer_solves_are_asked_for(shown, tmp_path):
    (tmp_path / "more").mkdir()
    published = shutil.copy(tmp_path / "out" / RECORDING, tmp_path / "more")
    with FaultyServer(ANSWERS) as server:
        assert record(server, "--out", "more", "--views", "raw") == 0
    assert [task.view for task in tasks_in(published)] == ["ranked", "raw"]


def test_fresh_forgets_what_was_recorded_and_a_dry_run_counts_it(shown, tmp_path, capsys):
    (tmp_path / "more").mkdir()
    recording = read_recording(tmp_path / "out" / RECORDING)
    old = {
        name: tuple(dataclasses.replace(each, reply=Reply("old")) for each in replies)
        for name, replies in recording.cells.items()
    }
    write_recording(tmp_path / "more" / RECORDING, dataclasses.replace(recording, cells=old))
    with FaultyServer(ANSWERS) as server:
        assert record(server, "--out", "more", "--dry-run") == 0
        assert capsys.readouterr().out.startswith("mine: all 1 solves have begun or are there")
        assert record(server, "--out", "more", "--dry-run", "--fresh") == 0
        assert capsys.readouterr().out.startswith("mine: 1 solves, at most 9 calls")
        assert not server.bodies
        for folder in ("more", "out"):  # where it is recorded, and where its transcripts are too
            asked = len(server.bodies)
            assert record(server, "--out", folder, "--fresh") == 0
            assert len(server.bodies) == asked + 9
    [replies] = read_recording(tmp_path / "more" / RECORDING).cells.values()
    assert all(each.reply.text != "old" for each in replies)


def test_a_model_to_ask_and_a_replay_exclude_each_other(capsys):
    assert main(["llm-bench", "--model", "m", "--replay", "x.xz"]) == 2
    assert "--model asks a model, and --replay none" in capsys.readouterr().err
    assert main(["llm-bench", "--steps", "papr"]) == 2
    assert "did you mean 'paper'" in capsys.readouterr().err
    assert main(["llm-bench", "--instances", "101"]) == 2
    assert "at most 100" in capsys.readouterr().err


def test_the_published_figures_ask_no_model():
    assert all(not cell.paid for cell in LawModels.from_arguments(None).cells())


def test_the_estimate_adds_up_reading_and_writing(monkeypatch, tmp_path):
    solved = SimpleNamespace(usage={"prompt_tokens": 900, "completion_tokens": 50})
    monkeypatch.setattr(estimate, "LAW", lambda **_: SimpleNamespace(solve=lambda *_: solved))
    book = Book(tmp_path, Asked("m", "short"))
    tasks = [Task("small", 7700), Task("small", 7701), Task("paper", 7700)]
    told = estimate.estimate(book, tasks, {}, 10.0, 2, ask=False)
    # 3 · (900 + 10 · 50) estimated tokens, of which each is two, at 10 tokens/s for both solves, or for each
    assert told == (
        "m: 3 solves, at most 27 calls, about 5.4e+03 tokens to read and 3e+02 to write: "
        "0.12 to 0.23 h at 10 tokens/s read, as 2 solves share them"
    )
    measured = Usage(calls=1, prompt_tokens=300, completion_tokens=10, seconds=4.0)
    monkeypatch.setattr(
        estimate, "first_call", lambda task, protocol, chat: measured if chat else Usage(prompt_tokens=100)
    )
    # 400 tokens/4 s = 100 tokens/s, three tokens for one that is estimated
    assert estimate.estimate(book, tasks, {}, None, 1, ask=True).endswith("about 0.035 h at 100 tokens/s read")


def test_the_networks_are_those_that_were_frozen():
    bounds = [float(Exact().solve(network(step, 7700), 0).lower_bound_j) for step in STEPS if step != "contested"]
    np.testing.assert_allclose(bounds, [1850.45749, 10627.68155, 5617.39556, 71962.62251], rtol=1e-6)
    assert (PROTOCOLS["short"].calls, PROTOCOLS["full"].calls) == (9, 90)
    assert LLMBench(steps=("small",), instances=2, views=("raw",), unstructured=("paper",)).tasks() == [
        Task("small", 7700, "raw"),
        Task("paper", 7700, "raw", "prompt"),
        Task("small", 7701, "raw"),
        Task("paper", 7701, "raw", "prompt"),
    ]


def test_the_watch_sees_every_evaluation_of_a_solve():
    instance = network("small", 7700)
    watch = Watch(instance)
    solution = make("law", rounds=1, iterations=2).solve(instance, 0, express=watch)
    assert watch.evaluations == solution.evaluations
    assert watch.best[-1][1] == pytest.approx(float(solution.outcome.energy_j), rel=1e-9)
    energies = [energy for _, energy in watch.best]
    assert energies == sorted(energies, reverse=True)
    assert [at for at, _ in watch.best] == sorted({at for at, _ in watch.best})


def solve(*best, evaluations=(1, 40, 50), verdicts=("not better", "unusable", "improved"), tokens=(10, 20, 30)):
    return Solve(
        best=np.array(best, float).reshape(-1, 2),
        calls=np.array([1.0, 2.0, 3.0]),
        tokens=np.array(tokens, float),
        evaluations=np.array(evaluations, float),
        verdicts=verdicts,
        feasible=np.array([True, False, True]),
        waited_s=6.0,
    )


def test_a_solve_is_cut_where_its_calls_or_evaluations_end():
    one = solve((1, 9.0), (30, 6.0), (45, 4.0))
    assert [one.energy_j(at) for at in (0, 1, 29, 30, 44, 45, math.inf)] == [math.inf, 9.0, 9.0, 6.0, 6.0, 4.0, 4.0]
    cut = one.until(2)
    assert (cut.energy_j(), cut.effort) == (6.0, {"calls": 2, "tokens": 20, "evaluations": 40})
    assert one.shares == {"valid": 2 / 3, "feasible proposals": 2 / 3, "own improvements": 1 / 3}
    assert cut.shares == {"valid": 1 / 2, "feasible proposals": 1 / 2, "own improvements": 0}


TASKS = [Task("paper", 7700 + number) for number in range(6)]


def test_comparisons_are_at_equal_evaluations_or_calls_and_no_decision_is_the_worst():
    model = {TASKS[0]: [solve((1, 9.0), (30, 8.0))]}
    ahead_late = {TASKS[0]: [solve((1, 10.0), (51, 5.0), evaluations=(1, 40, 60))]}
    assert versus(model, ahead_late, "evaluations").better.mean == 1  # its 5 J come after 50 evaluations
    assert versus(model, ahead_late, "evaluations").energy.mean == pytest.approx(8 / 10 - 1)
    assert versus(model, ahead_late, "calls").better.mean == 0
    assert versus(model, ahead_late, "calls").energy.mean == pytest.approx(8 / 5 - 1)
    rivals = {TASKS[0]: [solve(), solve((1, 8.0)), solve((1, 7.0))]}
    mixed = versus(model, rivals, "evaluations")
    assert mixed.better.mean == pytest.approx((1 + 0.5 + 0) / 3)
    assert mixed.energy.mean == pytest.approx(0)  # the median of inf, 8 and 7
    nothing = versus({TASKS[0]: [solve()]}, {TASKS[0]: [solve(), solve((1, 7.0))]}, "evaluations")
    assert nothing.better.mean == 0.25
    assert math.isnan(nothing.energy.mean)
    unstructured = {Task("paper", 7700, form="prompt"): [solve((1, 9.0))]}
    assert versus(unstructured, rivals, "evaluations").better.mean == pytest.approx(1 / 3)


def test_gaps_are_geometric_means_of_networks_with_a_decision():
    solves = {TASKS[0]: [solve((1, 2.0)), solve((1, 8.0))], TASKS[1]: [solve((1, 9.0)), solve()], TASKS[2]: [solve()]}
    results = Results(
        9,
        {("paper", 7700 + number): 1.0 for number in range(3)},
        {},
        {},
    )
    found = over_bound(results, solves)
    assert (found.mean, found.size) == (pytest.approx(math.sqrt(4 * 9) - 1), 2)


def contest(model_j, rival_j):
    """Return the sentence of a model with these energies, against controls with others, on six networks."""
    own = {task: [solve((1, model_j + 0.01 * number))] for number, task in enumerate(TASKS)}
    rivals = {task: [solve((1, rival_j + 0.01 * number))] for number, task in enumerate(TASKS)}
    controls = {"law (no LLM)": rivals, "expert search alone": own}
    return sentence("m", own, Results(9, {}, {"m": own}, controls))


def test_the_sentence_says_where_a_model_beats_its_rivals():
    assert contest(1.0, 2.0).startswith(
        "At equal evaluations, m beats law (no LLM) on paper ranked (better in 100 % of the pairs, energy −49."
    )
    behind = contest(2.0, 1.0)
    assert behind.startswith(
        "At equal evaluations, m beats law (no LLM) nowhere, is behind it on paper ranked (better in 0 %"
    )
    assert "it beats expert search alone nowhere, and 1 of 1 comparisons leave it open" in behind
    assert behind.endswith("Its own proposals improved on the best example in 33.3 % of the steps.")
    assert signed(Interval(-0.125, -0.2, 0.05, 5)) == "−12.5 % [−20.0, +5.0]"


def test_curves_step_down_where_decisions_get_better():
    one = solve((2, 3.0), (40, 2.0))
    np.testing.assert_allclose(curve(one, 1.0, "evaluations", np.array([1, 2, 39, 40, 99])), [math.inf, 2, 2, 1, 1])
    np.testing.assert_allclose(curve(one, 1.0, "calls", np.array([0.5, 1, 2, 3])), [math.inf, math.inf, 1, 1])
    np.testing.assert_allclose(curve(one, 1.0, "tokens", np.array([5, 10, 19, 20])), [math.inf, math.inf, math.inf, 1])

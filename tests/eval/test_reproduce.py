"""The paper's experiments again: what is declared, how it is computed once, and what the tables may say of it."""

import csv
import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from faulty_server import FaultyServer, fails

import eval.learners.trained
from eval.command.cli import main
from eval.experiments.catalogue import CATALOGUE
from eval.experiments.protocol import run
from eval.experiments.secure.differences import Reason
from eval.experiments.secure.experiment import EnergyTables, setting_of
from eval.experiments.secure.printed import (
    AS_WRITTEN,
    EXECUTION,
    EXHIBITS,
    HEADLINE,
    TYPICAL,
    Exhibit,
    Printed,
    contradictions,
)
from eval.experiments.secure.results import BOUND, Pair, SchemeResult, reproduced
from eval.experiments.secure.tables import learners, markdown
from eval.learners.trained import learner_of
from eval.stats.statistics import Interval
from eval.sweep import cells
from eval.sweep.cell_files import FORMAT
from solvers.benchmarks.fixedtp import FixedTP

pandas = pytest.importorskip("pandas")
pytest.importorskip("matplotlib")
pytest.importorskip("pymoo")


# --- What is declared ---------------------------------------------------------------------------------------

PAPER = {
    "fig4": """
        - 30 50
        randas 23400 45700
        law 13700 27900
        asc 11900 18700""",
    "table2": """
        - 10 15 20
        randas 23417 41107 48999
        ga 15019 29983 38402
        law 13693 28436 36113
        asc 11868 26673 34996""",
    "table3": """
        - 0.6 0.7 0.8
        randas 21222 23417 27520
        ga 13120 15219 16189
        law 12022 14242 14959
        asc 10423 11868 12966""",
    "fig5": """
        - 30 50
        fixedtp 199 1477
        law 105 260
        asc 77 140""",
    "table4": """
        - 10 20 30
        fixedtp 310.76 299.20 225.38
        fixedbf 260.27 246.01 171.85
        de 155.95 139.21 54.967
        law 146.01 105.21 53.785
        asc 109.87 77.219 49.872""",
}


def in_the_paper(text: str) -> dict[tuple[str, float], float]:
    """Read a table with a scheme in each line, below the values of what varies."""
    head, *lines = (line.split() for line in text.strip().splitlines())
    return {
        (line[0], float(value)): float(number)
        for line in lines
        for value, number in zip(head[1:], line[1:], strict=True)
    }


@pytest.mark.parametrize("name", PAPER)
def test_the_declared_numbers_are_the_papers(name: str):
    exhibit = EXHIBITS[name]
    declared = {(scheme, v): float(text) for scheme, own in exhibit.printed.items() for v, text in own.items()}
    assert declared == in_the_paper(PAPER[name])
    assert {value for _, value in declared} <= set(exhibit.values)
    assert set(exhibit.printed) <= set(exhibit.schemes)
    assert exhibit.reference in exhibit.schemes


def test_there_are_five_exhibits_and_all_meet_in_the_typical_case():
    assert list(EXHIBITS) == ["fig4", "table2", "table3", "fig5", "table4"]
    assert (TYPICAL.num_agents, TYPICAL.required_agents, TYPICAL.min_accuracy, TYPICAL.num_antennas) == (
        30, 10, 0.7, 20
    )  # fmt: skip
    for exhibit in EXHIBITS.values():
        assert sum(scenario == TYPICAL for scenario in exhibit.scenarios.values()) == 1
    assert EXHIBITS["fig4"].scenarios[50].required_agents == 16
    assert EXHIBITS["table2"].scenarios[15] == TYPICAL.replace(min_selected=15)
    assert setting_of(EXHIBITS["table4"].scenarios[10]) == "num_antennas = 10"


def test_a_printed_number_is_as_exact_as_its_last_digit():
    assert Printed("1.19e4").bounds == (11850, 11950)
    assert Printed("77").bounds == (76.5, 77.5)
    assert Printed("49.872").bounds == pytest.approx((49.8715, 49.8725))


def test_the_headline_follows_from_the_printed_numbers():
    name, scheme, value, printed = HEADLINE
    assert EXHIBITS[name].saving(scheme, value) == printed == Printed("59.1")
    assert EXHIBITS["table2"].saving("asc", 10) == Printed("49.3")  # 1 - 11868 / 23417
    assert EXHIBITS["table2"].saving("randas", 10) is None
    assert EXHIBITS["fig4"].saving("asc", 40) is None


def test_where_the_paper_contradicts_itself_is_found():
    found = {name: contradictions(e, list(EXHIBITS.values())) for name, e in EXHIBITS.items()}
    assert found["table4"] == ["fixedtp at L = 20: 299.2 J here, 199 J in Fig. 5"]
    assert found["table2"] == [
        "law at N_min = 10: 13693 J here, 14242 J in Table III",
        "ga at N_min = 10: 15019 J here, 15219 J in Table III",
    ]
    assert found["fig4"] == ["law at N = 30: 13700 J here, 14242 J in Table III"]  # 13693 rounds to it


def test_a_reason_is_told_of_what_it_explains():
    reason = Reason("because", schemes=("asc",), values=(30,), sign=-1)
    assert reason.explains("asc", 30.0, -1)
    assert not reason.explains("asc", 30, 1)
    assert not reason.explains("asc", 50, -1)
    assert not reason.explains("ga", 30, -1)
    assert Reason("always").explains("ga", 7, 1)
    order = Reason("tied", orders=(("asc", "ga"),), values=(30,))
    assert order.explains_order("asc", "ga", 30)
    assert not order.explains_order("ga", "asc", 30)
    assert not order.explains_order("asc", "ga", 50)
    assert not order.explains("asc", 30, 1)
    assert not Reason("always").explains_order("asc", "ga", 30)


# --- From draws to verdicts ---------------------------------------------------------------------------------


def frame(values: np.ndarray, feasible: np.ndarray | None = None, message: str = "no") -> object:
    """Rows of one scheme whose execution energies are these."""
    feasible = np.ones(len(values), bool) if feasible is None else feasible
    rows = pandas.DataFrame({EXECUTION: values, "feasible": feasible, "message": message})
    return rows.assign(lower_bound_j=np.where(feasible, values, np.nan))


def exhibit_of(printed: dict[str, str], **options) -> Exhibit:
    return Exhibit(
        name="trial", title="Trial: energy", varies="num_agents", symbol="N", values=(30,), schemes=tuple(printed),
        metric=EXECUTION, reference="randas", printed={name: {30: text} for name, text in printed.items()}, **options
    )  # fmt: skip


NOISE = np.linspace(-0.05, 0.05, 20)
GOOD = 100 * (1 + NOISE)


def test_means_are_over_the_draws_that_all_solved():
    able = np.arange(20) % 2 == 0
    result = reproduced(
        exhibit_of({"asc": "100", "randas": "200"}),
        {30: {"asc": [frame(GOOD)], "randas": [frame(2 * GOOD, able)], "ga": [frame(GOOD, np.zeros(20, bool))]}},
        {"ga": "genetic"},
    )
    assert result.draws == {30: (10, 20)}
    asc, randas, ga = (result.of(name, 30) for name in ("asc", "randas", "ga"))
    assert asc.mean.mean == pytest.approx(GOOD[able].mean())
    assert (asc.feasible, randas.feasible, ga.feasible) == (20, 10, 0)
    assert (ga.label, ga.note, np.isnan(ga.mean.mean)) == ("genetic", "no", True)
    assert asc.saving.mean == pytest.approx(0.5)
    assert (randas.ratio.mean, randas.larger.mean, randas.delta) == (pytest.approx(2), 1, 1)
    assert "ga" not in {pair.worse for pair in result.pairs}
    text = markdown(result)
    assert "10 of 20 at N = 30" in text
    assert "genetic: never feasible (20 of 20 at N = 30); the first: no." in text
    assert "randas: not feasible (10 of 20 at N = 30)" in text


def test_seeds_of_a_learner_are_one_row():
    values = np.stack([GOOD, 1.02 * GOOD, 1.04 * GOOD, 3 * GOOD])
    result = reproduced(
        exhibit_of({"asc": "100", "randas": "200"}),
        {30: {"asc": [frame(GOOD)], "ppo (4 seeds)": [frame(v) for v in values]}},
        {},
    )
    entry = result.of("ppo (4 seeds)", 30)
    assert (entry.seeds, entry.feasible, entry.attempts) == (4, 80, 80)
    assert entry.mean.mean == pytest.approx(103)  # of the middle two
    assert entry.ratio.mean == pytest.approx(6.06 / 4)


def test_verdicts_are_read_off_the_intervals():
    def text(asc: str, law: float) -> str:
        wanted = exhibit_of(
            {"asc": asc, "law": "150", "randas": "200"},
            reasons=(
                Reason("Ranges differ.", schemes=("asc",), sign=-1),
                Reason("It is dear.", schemes=("asc",), sign=1),
            ),
        )
        rows = {"asc": [frame(GOOD)], "law": [frame(law * GOOD[::-1])], "randas": [frame(2 * GOOD)]}
        return markdown(reproduced(wanted, {30: rows}, {}))

    agreed = text("101", 1.5)
    assert "3 of the 3 printed means lie in our intervals (asc at N = 30, law at N = 30, randas at N = 30)" in agreed
    assert "3 of the 3 orders" in agreed
    assert "**Does not.** Nothing." in agreed
    assert "**Why.**" not in agreed
    below = text("130", 1.5)
    assert "Means outside: 1 (asc at N = 30 × 0.769)." in below
    assert "- asc at N = 30: Ranges differ." in below
    assert "It is dear" not in below
    assert "- asc at N = 30: It is dear." in text("70", 1.5)
    swapped = text("100", 0.5)
    assert "Orders reversed: 1 (asc before law at N = 30)." in swapped
    assert "- law at N = 30: not explained." in swapped
    assert "- asc before law at N = 30: not explained." in swapped
    level = text("100", 1.0)
    assert "Orders not told apart: 1 (asc before law at N = 30)." in level
    assert "- asc before law at N = 30: not explained." in level


def test_nothing_is_said_of_few_draws():
    rows = {"asc": [frame(GOOD[:9])], "randas": [frame(2 * GOOD[:9])]}
    text = markdown(reproduced(exhibit_of({"asc": "100", "randas": "200"}), {30: rows}, {}))
    assert "Nothing can be said" in text
    assert "Agrees" not in text


def test_pairs_and_signs():
    assert Pair(30, "asc", "ga", Interval(0.9, 0.8, 0.99, 20)).verdict == "held"
    assert Pair(30, "asc", "ga", Interval(1.1, 1.01, 1.2, 20)).verdict == "reversed"
    assert Pair(30, "asc", "ga", Interval(1.0, 0.9, 1.1, 20)).verdict == "open"

    def sign(mean: Interval, printed: str | None = "1.0e2") -> int | None:
        shown = Printed(printed) if printed else None
        return SchemeResult(30, "asc", "asc", 20, 20, 1, mean, printed=shown).sign

    assert sign(Interval(104, 102, 106, 20)) == 0  # 1.0e2 may be 105
    assert sign(Interval(110, 106, 112, 20)) == 1
    assert sign(Interval(90, 80, 94, 20)) == -1
    assert sign(Interval(90, 80, 94, 20), None) is None
    assert sign(Interval(90, 80, 94, 9)) is None


def test_the_headline_is_judged_by_its_interval():
    fig4 = EXHIBITS["fig4"]
    for ratio, verdict in ((1 / 0.409, "its interval holds that"), (2.0, "its interval does not hold that")):
        rows = {"asc": [frame(GOOD)], "randas": [frame(ratio * GOOD * (1 + NOISE[::-1] / 2))]}
        text = markdown(reproduced(fig4, {50: rows}, {}))
        assert verdict in text.partition("**The headline.** The paper's 59.1 %")[2]


def test_the_learners_table_has_means_and_profiles():
    gaps = {"exact": np.zeros((1, 4)), "ppo (2 seeds)": np.array([[0.0, 0.0, 0.004, np.nan], [0.0, 0.0, 0.004, 0.05]])}
    lines = learners(gaps).splitlines()
    row = next(re.split(r" *\| *", line) for line in lines if "ppo" in line)
    # Seed means are 0.4/3 and 5.4/4 percent; 4, 4, 6 and 7 of the 8 gaps are below the limits.
    assert row[1:3] == ["ppo (2 seeds)", "2"]
    assert row[3].startswith("0.742 %")
    assert [cell.partition(" %")[0] for cell in row[4:8]] == ["50", "50", "75", "87.5"]


# --- FixedTP to the letter ----------------------------------------------------------------------------------


def test_fixedtp_as_written_selects_agents_that_cannot_send():
    from eval.compare.solving import instance_at
    from eval.experiments.secure.cells import FixedTPAsWritten
    from solvers.exact.solver import Exact

    instance = instance_at(TYPICAL, 0, 0)
    solution = FixedTPAsWritten().solve(instance, seed=0)
    assert not solution.outcome.feasible
    assert re.fullmatch(r"\d+ of the 10 agents selected cannot send in secret at these powers", solution.message)
    np.testing.assert_array_equal(solution.decision.selection, Exact().solve(instance).decision.selection)
    assert solution.decision.power_w == pytest.approx(1.2)
    assert FixedTP().solve(instance, seed=0).outcome.feasible


# --- The command --------------------------------------------------------------------------------------------

TINY = Exhibit(
    name="tiny",
    title="Tiny: execution energy against the number of antennas",
    varies="num_antennas",
    symbol="L",
    values=(18, 20),
    schemes=("asc", "randas"),
    metric=EXECUTION,
    reference="randas",
    printed={"asc": {20: "11868"}, "randas": {20: "23417"}},
)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A command of an experiment that takes no time, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(EXHIBITS, "tiny", TINY)
    monkeypatch.setitem(CATALOGUE, "tiny", CATALOGUE["fig4"])
    return ["reproduce", "tiny", "--instances", "2", "--agents", "--workers", "1", "--out", "out"]


def read_csv(path: str) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_table_two_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    monkeypatch.chdir(tmp_path)
    arguments = ["--instances", "1", "--law", "rounds=1, iterations=2", "--agents", "ppo", "--workers", "1"]
    assert main(["reproduce", "table2", *arguments]) == 0
    output, errors = capsys.readouterr()
    folder = Path("results", "reproduce")
    names = {path.name for path in folder.iterdir() if path.is_file()}
    kinds = {f"table2.{end}" for end in ("md", "csv", "png", "pdf")}
    assert names == {"reproduce.md", "rows.csv", "profiles.png", "profiles.pdf"} | kinds
    assert output == (folder / "reproduce.md").read_text(encoding="utf-8")
    assert errors == "secagent: wrote reproduce.md, and tables, figures and rows beside it, in results/reproduce\n"
    rows = read_csv("results/reproduce/table2.csv")
    of = {(row["scheme"], row["min_selected"]): row for row in rows}
    assert {scheme for scheme, _ in of} == {BOUND, "exact", "asc-plus", "asc", "law (no LLM)", "ga", "randas", "ppo"}
    for needed in ("10", "15", "20"):
        assert float(of["exact", needed]["mean_j"]) == pytest.approx(float(of[BOUND, needed]["mean_j"]), rel=1e-9)
        assert float(of["asc", needed]["printed_j"]) == float(EXHIBITS["table2"].printed["asc"][int(needed)])
        assert of["exact", needed]["printed_j"] == ""
        assert float(of["randas", needed]["mean_j"]) > float(of["asc", needed]["mean_j"])
    assert "| 11868 J" in output
    assert "| 49.3 %" in output
    assert "ga at N_min = 10: 15019 J here, 15219 J in Table III" in output
    assert len(read_csv("results/reproduce/rows.csv")) == 3 * 7  # settings, schemes


def test_a_model_that_says_nothing_of_use_is_never_feasible(
    tiny: list[str], capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(EXHIBITS, "tiny", dataclasses.replace(TINY, schemes=("asc", "law", "randas")))
    with FaultyServer(fails(500, "the GPU burns")) as server:
        law = f'model="m", base_url="{server.base_url}", retries=0, rounds=1, iterations=1'
        assert main([*tiny, "--law", law]) == 0
    table = capsys.readouterr().out
    assert re.search(r"\| law \(m\) .*\| 0/2 \(0%\) ", table)
    assert (
        "law (m): never feasible (2 of 2 at L = 18, 2 of 2 at L = 20); the first: no reply of m could be used" in table
    )
    assert "law (m): replies that could not be used: 6 server error at L = 18; 6 server error at L = 20." in table


def test_what_two_experiments_share_is_computed_once(tiny: list[str], capsys: pytest.CaptureFixture):
    assert main(tiny) == 0
    capsys.readouterr()
    assert main(["reproduce", "tiny", "table3", *tiny[2:], "--dry-run"]) == 0
    # Table III has 3 settings and 6 schemes, of which 4 are there already in the typical case.
    assert capsys.readouterr().out.startswith("44 cells: 16 finished, 0 failed, 28 to be computed")
    cells = EnergyTables(("all",), instances=1, agents=()).cells()
    assert len({cell.key for cell in cells}) == len(cells)
    typical = [cell.scheme for cell in cells if setting_of(TYPICAL.coerce(cell.options["scenario"])) == "typical"]
    assert sorted(typical) == sorted(
        ["exact", "asc-plus", "asc", "law (no LLM)", "ga", "randas", "de", "fixedbf", "fixedtp", AS_WRITTEN]
    )


def test_an_interrupted_run_resumes(tiny: list[str], capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch):
    original, computed = cells.compute, []

    def stops_after_five(cell):
        if len(computed) == 5:
            raise KeyboardInterrupt
        computed.append(cell)
        return original(cell)

    monkeypatch.setattr("eval.sweep.workers.compute", stops_after_five)
    assert main(tiny) == 130
    assert "the same command resumes the run, finished rows are kept in out" in capsys.readouterr().err
    monkeypatch.setattr("eval.sweep.workers.compute", original)
    assert main(tiny) == 0
    resumed, errors = capsys.readouterr()
    kept = int(re.search(r"(\d) of 16 cells are taken from out", errors)[1])
    assert 1 <= kept <= 5
    assert main([*tiny, "--fresh"]) == 0
    anew, errors = capsys.readouterr()
    assert "taken from" not in errors
    assert anew == resumed


def test_failed_cells_are_told_and_tried_again(
    tiny: list[str], capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as broken:
        broken.setattr("solvers.benchmarks.randas.random_selection", lambda *_: 1 / 0)
        assert main(tiny) == 0
    output = capsys.readouterr().out
    assert "randas: never feasible (2 of 2 at L = 18, 2 of 2 at L = 20)" in output
    assert main([*tiny, "--fresh"]) == 0
    assert "randas: never" not in capsys.readouterr().out


def test_pictures_are_the_same_again(tiny: list[str]):
    tables = EnergyTables(("tiny",), instances=2, agents=())
    run(tables, "out", workers=1)
    before = {path.name: path.read_bytes() for path in Path("out").glob("tiny.*")}
    assert set(before) == {"tiny.md", "tiny.csv", "tiny.png", "tiny.pdf"}
    run(tables, "out", workers=1)
    assert {path.name: path.read_bytes() for path in Path("out").glob("tiny.*")} == before


def refused(capsys: pytest.CaptureFixture, *arguments: str) -> str:
    assert main(arguments) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert re.fullmatch(r"secagent: error: [^\n]+\n", errors)
    return errors


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["fig6"], "unknown experiment 'fig6'; did you mean 'fig5'?"),
        (["fig4", "--instances", "0"], "instances must be an integer ≥ 1, got 0"),
        (["fig4", "--seed", "-1"], "seed must be an integer ≥ 0, got -1"),
        (["fig4", "--agents", "pppo"], "unknown solver 'pppo'"),
        (["fig4", "--agents", "asc"], "asc is no trained agent"),
        (["fig4", "--agents", "ppo", "ppo"], "the solver ppo is given twice"),
        (["fig4", "--law", "round=1"], "unknown option of law 'round'; did you mean 'rounds'?"),
        (["fig4", "--law", "rounds"], "a solver is given as name or as name(option=value, …)"),
        (["fig4", "--law", 'api_key="x"'], "set OPENAI_API_KEY instead"),
        (["fig4", "--workers", "0"], "workers must be an integer ≥ 1, got 0"),
        (["fig4", "--out", "/proc/out"], "/proc/out: "),
    ],
)
def test_errors_are_one_sentence(arguments: list[str], sentence: str, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert sentence in refused(capsys, "reproduce", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_another_version_is_told(tiny: list[str], capsys: pytest.CaptureFixture):
    import pyarrow
    import pyarrow.parquet

    Path("out", "cells").mkdir(parents=True)
    table = pyarrow.table({"key": ["x"]}).replace_schema_metadata({FORMAT: b"0"})
    pyarrow.parquet.write_table(table, "out/cells/old.parquet")
    assert "has format version 0, this secagent reads 1: use another folder" in refused(capsys, *tiny)


def test_trainings_of_one_learner_are_grouped(monkeypatch: pytest.MonkeyPatch):
    names = {"ppo": "ppo", "runs/a": "ppo", "runs/b": "ppo", "runs/c": "l2o"}
    monkeypatch.setattr(eval.learners.trained, "learner_of", names.get)
    monkeypatch.setattr(EnergyTables, "_comparisons", {})
    assert EnergyTables(agents=("runs/a", "runs/b", "runs/c")).trained == {
        "ppo (2 seeds)": ["runs/a", "runs/b"],
        "l2o (1 seed)": ["runs/c"],
    }
    assert EnergyTables(agents=("ppo",)).trained == {"ppo": ["ppo"]}


def test_what_a_learner_is_called(tmp_path: Path):
    assert learner_of("ppo") == "ppo"
    assert learner_of("ppo(refine=3)") == "ppo(refine=3)"
    unfinished = tmp_path / "run"
    unfinished.mkdir()
    (unfinished / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="is not finished"):
        learner_of(str(unfinished))

"""The benchmark set: networks that stay, entries that hold decisions alone, and who is best."""

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest

from eval.benchmark_set import frozen
from eval.benchmark_set.entries import SUFFIX, Decided, Entry, entry_paths, load_entry
from eval.benchmark_set.leaderboard import SHIPPED, Leaderboard
from eval.benchmark_set.scoring import scored
from eval.benchmark_set.study import BEST, BenchmarkSet
from eval.command.cli import main
from secagent_env import evaluate, sample_instance
from secagent_env.model.presets import PRESETS
from solvers import make

SMALL = frozen.frozen("small")


@pytest.fixture(scope="module")
def best() -> Entry:
    [found] = [entry for entry in map(load_entry, entry_paths([SHIPPED])) if entry.name == BEST]
    return found


def part(decided: Decided, rows) -> Decided:
    return Decided(decided.decision[rows], decided.decided[rows], decided.seconds[rows])


def changed(old: Decided, **changes) -> Decided:
    return dataclasses.replace(old, **changes)


def rewritten(entry: Entry, **changes) -> bytes:
    """Return the file of an entry with other arrays, or without those that are None, and no digest."""
    with np.load(io.BytesIO(entry.content())) as whole:
        arrays = {name: whole[name] for name in whole.files}
    header = json.loads(str(arrays.pop("header")))
    header |= changes.pop("header", {})
    header.pop("digest")
    arrays = {name: array for name, array in (arrays | changes).items() if array is not None}
    file = io.BytesIO()
    np.savez(file, header=np.array(json.dumps(header)), **arrays)
    return file.getvalue()


def test_the_set_holds_every_preset_and_is_small():
    assert set(frozen.presets()) == set(PRESETS)
    for preset in frozen.presets():
        own = frozen.frozen(preset)
        assert own.instances.scenario == sample_instance(preset, 0).scenario
        assert 0 < len(own.instances) == len(own.lower_bound_j) <= 20
    assert sum(path.stat().st_size for path in frozen.FOLDER.iterdir()) < 10e6


def test_every_bound_is_proved_and_met_by_no_decision_that_is_known():
    """A bound of 0 J would say nothing; one above the energy of a feasible decision would be wrong."""
    board = Leaderboard([load_entry(path) for path in entry_paths([SHIPPED])])  # raises where one is contradicted
    assert board.standings[0].name == BEST
    for preset in frozen.presets():
        assert (frozen.frozen(preset).lower_bound_j > 0).all()


def test_networks_are_frozen_once(tmp_path: Path):
    frozen.freeze(["small"], tmp_path)
    own = frozen.frozen("small", tmp_path)
    assert (own.lower_bound_j == 0).all()
    assert own.solvable.all()
    with pytest.raises(FileExistsError, match=r"small.npz exists: the networks of a set stay as they are"):
        frozen.freeze(["small"], tmp_path)


def test_certificates_belong_to_their_networks(tmp_path: Path):
    frozen.freeze(["small", "paper"], tmp_path)
    (tmp_path / "paper.npz").replace(tmp_path / "small.npz")
    with pytest.raises(ValueError, match=r"small.npz does not hold the networks that .*certificates.json is about"):
        frozen.frozen("small", tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("null", "1.0", 1) if "null" in text else text.replace("0.0", "1.0", 1), "damaged"),
        (lambda text: text.replace('"version": 1', '"version": 2'), "version 2 of the set, this secagent has 1"),
        (lambda text: "{}", "holds no certificates"),
        (lambda text: text[:50], "."),
    ],
)
def test_damaged_certificates_are_told(tmp_path: Path, change, message: str):
    frozen.freeze(["small"], tmp_path)
    path = tmp_path / frozen.CERTIFICATES
    path.write_text(change(path.read_text()))
    with pytest.raises(ValueError, match=message):
        frozen.frozen("small", tmp_path)


def test_an_unknown_preset_is_told():
    with pytest.raises(ValueError, match=r"unknown preset of the benchmark set 'papr'; did you mean 'paper'"):
        frozen.frozen("papr")


def test_the_score_is_the_bound_over_the_energy(best: Entry):
    decided = best.decided["small"]
    energy = np.asarray(evaluate(SMALL.instances, decided.decision).energy_j)
    bound = energy / np.arange(1, len(energy) + 1)
    bound[-1] = np.inf  # proved infeasible: it does not count
    known = dataclasses.replace(SMALL, lower_bound_j=bound)
    without_last = np.append(np.ones(len(energy) - 1, bool), False)
    found = scored(changed(decided, decided=without_last, seconds=np.arange(len(energy), dtype=float)), known)
    np.testing.assert_allclose(found.score, 1 / np.arange(1, len(energy)))
    np.testing.assert_allclose(found.gap, np.arange(len(energy) - 1), atol=1e-12)
    np.testing.assert_array_equal(found.seconds, np.arange(len(energy) - 1))
    assert found.feasible.all()


def test_what_is_not_decided_or_not_feasible_scores_nothing(best: Entry):
    decided = best.decided["small"]
    there = decided.decided.copy()
    there[0] = False
    loud = np.asarray(decided.decision.power_w).copy()
    loud[1] = 100  # W
    decision = decided.decision.replace(power_w=loud)
    found = scored(Decided(decision, there, decided.seconds), SMALL)
    assert found.score[:2].tolist() == [0, 0]
    assert not found.feasible[:2].any()
    assert np.isnan(found.gap[:2]).all()
    assert (found.score[2:] > 0.99).all()


def test_a_certificate_that_is_contradicted_is_told(best: Entry):
    energy = np.asarray(evaluate(SMALL.instances, best.decided["small"].decision).energy_j)
    bound = energy.copy()
    bound[3] *= 1 + 1e-5
    with pytest.raises(ValueError, match=r"network 3 of small has a feasible decision of .* please report this"):
        scored(best.decided["small"], dataclasses.replace(SMALL, lower_bound_j=bound))
    bound[3] = np.inf
    with pytest.raises(ValueError, match=r"network 3 of small"):
        scored(best.decided["small"], dataclasses.replace(SMALL, lower_bound_j=bound))
    bound[3] = energy[3] * (1 + 1e-9)  # rounding
    assert scored(best.decided["small"], dataclasses.replace(SMALL, lower_bound_j=bound)).score[3] == 1


def test_an_entry_survives_its_file(best: Entry, tmp_path: Path):
    size, antennas = len(SMALL.lower_bound_j), SMALL.instances.scenario.num_antennas
    noise = np.broadcast_to(np.eye(antennas) * 1e-3 + 0j, (size, antennas, antennas))
    old = best.decided["small"]
    decision = old.decision.replace(noise_covariance=noise)
    entry = Entry("my (own) entry", {"small": changed(old, decision=decision)}, seed=7, about={"paper": "x"})
    path = tmp_path / entry.file_name
    assert path.name == "my--own--entry-7" + SUFFIX
    entry.save(path)
    again = load_entry(path)
    assert (again.name, again.seed, again.about["paper"]) == (entry.name, 7, "x")
    for name in ("selection", "beamformer", "power_w", "noise_covariance"):
        np.testing.assert_array_equal(getattr(again.decided["small"].decision, name), getattr(decision, name))
    np.testing.assert_array_equal(again.decided["small"].seconds, old.seconds)
    assert entry_paths([tmp_path]) == entry_paths([path]) == [path]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"header": {"version": 9}}, "format version 9, this secagent reads 1; upgrade"),
        ({"header": {"benchmark": ["secagent-bench", 2]}}, r"about the benchmark set \['secagent-bench', 2\], this is"),
        ({"header": {"format": "x"}}, "it holds no entry"),
        ({"header": {"name": 3}}, "names no solver"),
        ({"header": {"name": " "}}, "text of 1 to 80 characters in one line"),
        ({"header": {"seed": -1}}, "seed must be"),
        ({"small.power_w": None}, "small.power_w is missing"),
        ({"small.power_w": np.full((20, 6), np.nan)}, "small: power_w must be finite"),
        ({"small.power_w": np.zeros((20, 5))}, "one entry per agent"),
        (
            {"small.beamformer": np.zeros((20, 3), complex)},
            r"the decisions are of shape \(20, 6, 3\)",
        ),
        ({"small.seconds": np.full(20, -1.0)}, "seconds must be at least 0"),
        ({"small.decided": np.ones(20)}, "decided must be an array"),
        ({"smal.power_w": np.zeros((20, 6))}, "unknown preset of the benchmark set 'smal'"),
    ],
)
def test_entries_that_do_not_fit_are_told_in_one_sentence(
    best: Entry, tmp_path: Path, changes: dict, message: str, capsys
):
    small = Entry("x", {"small": best.decided["small"]})
    path = tmp_path / f"x{SUFFIX}"
    path.write_bytes(rewritten(small, **changes))
    with pytest.raises(ValueError, match=message) as error:
        load_entry(path)
    assert str(path) in str(error.value)
    assert main(["leaderboard", "--alone", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") <= 2


def test_a_changed_entry_is_told(best: Entry, tmp_path: Path):
    path = tmp_path / f"x{SUFFIX}"
    whole = rewritten(Entry("x", {"small": best.decided["small"]}))
    path.write_bytes(whole[:-200])
    with pytest.raises(ValueError, match="broken or foreign"):
        load_entry(path)


def test_folders_without_entries_are_told(tmp_path: Path):
    with pytest.raises(ValueError, match="holds no entry of the leaderboard"):
        entry_paths([tmp_path])
    with pytest.raises(FileNotFoundError):
        entry_paths([tmp_path / "x"])


def test_the_best_comes_first_and_a_missing_preset_counts_nothing(best: Entry):
    half = best.decided["small"].decided.copy()
    half[::2] = False
    weak = {**best.decided, "small": changed(best.decided["small"], decided=half)}
    alone = {"small": best.decided["small"]}
    board = Leaderboard([Entry("alone", alone), Entry("weak", weak), Entry("strong", best.decided)])
    assert [one.name for one in board.standings] == ["strong", "weak", "alone"]
    networks = sum(int(frozen.frozen(preset).solvable.sum()) for preset in frozen.presets())
    strong, weak_one, alone_one = board.standings
    assert strong.feasible.mean == pytest.approx(1)
    assert weak_one.feasible.mean == pytest.approx(1 - np.ceil(len(half) / 2) / networks)
    assert alone_one.feasible.mean == pytest.approx(len(half) / networks)
    assert alone_one.score.mean < weak_one.score.mean < strong.score.mean
    text = board.markdown()
    assert text.index("strong") < text.index("weak") < text.index("alone")
    assert {row["preset"] for row in board.rows() if row["entry"] == "alone"} == {"small"}


def test_seeds_of_one_name_are_one_row(best: Entry):
    own = {"small": best.decided["small"]}
    none = {"small": changed(own["small"], decided=np.zeros(len(SMALL.lower_bound_j), bool))}
    board = Leaderboard([Entry("a", own, 1), Entry("a", none, 0)])
    [standing] = board.standings
    assert standing.seeds == (0, 1)
    assert standing.own("feasible", "small").mean(axis=1).tolist() == [0, 1]
    assert board.rows()[0]["feasible"] == pytest.approx(0.5)
    with pytest.raises(ValueError, match="two entries of a with the seed 0"):
        Leaderboard([Entry("a", own), Entry("a", none)])


def test_solvers_decide_the_set(tmp_path: Path, capsys):
    arguments = ["--presets", "small", "--solvers", "randas", "best-first", "--max-seconds", "5", "--workers", "1"]
    assert main(["study", "benchmark-set", *arguments, "--certificates", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert [line for line in shown.splitlines() if line.startswith("| 1 ")]
    names = {path.name for path in entry_paths([tmp_path])}
    assert names == {f"{name}-0{SUFFIX}" for name in ("randas", "best-first", "best-known")}
    entry = load_entry(tmp_path / f"best-first-0{SUFFIX}")
    assert entry.about["max_seconds"] == 5
    solution = make("best-first").solve(SMALL.instances[2], seed=0)
    assert entry.decided["small"].decision[2].power_w == pytest.approx(solution.decision.power_w)
    frozen_bounds = json.loads((tmp_path / frozen.CERTIFICATES).read_text())["presets"]["small"]["lower_bound_j"]
    assert (np.array(frozen_bounds) >= SMALL.lower_bound_j).all()  # a renewal forgets no proof
    main(["leaderboard", "--alone", str(tmp_path), "--out", str(tmp_path / "board")])
    assert capsys.readouterr().out == shown
    assert {path.name for path in (tmp_path / "board").iterdir()} == {
        f"leaderboard.{end}" for end in ("md", "csv", "png", "pdf")
    }


def test_bounds_and_best_decisions_are_those_of_the_best(best: Entry):
    """Of two solvers the higher bound, the set's own where theirs are lower, and a proof that nothing is feasible."""
    old = SMALL.lower_bound_j
    rows = [
        {"scheme": scheme, "value": "small", "index": index, "error": None, "impossible": False, "lower_bound_j": bound}
        for scheme, index, bound in (("a", 0, old[0] * 2), ("b", 0, old[0] * 3), ("a", 1, old[1] / 2), ("b", 2, None))
    ]
    rows.append({**rows[0], "index": 3, "impossible": True})
    rows.append({**rows[0], "index": 4, "error": "killed", "lower_bound_j": 1e9})
    study = BenchmarkSet(solvers=("randas",), presets=("small",))
    bound = study._bounds("small", rows)
    np.testing.assert_array_equal(bound[:5], [old[0] * 3, old[1], old[2], np.inf, old[4]])
    even = np.arange(len(old)) % 2 == 0
    some = changed(best.decided["small"], decided=even)
    loud = some.decision.replace(power_w=2 * np.asarray(some.decision.power_w))
    dearer = Decided(loud, np.ones(len(old), bool), np.ones(len(old)))
    assert evaluate(SMALL.instances, loud).feasible.all()
    found = study._best([Entry("a", {"small": some}), Entry("b", {"small": dearer})])
    assert found.name == BEST
    assert found.decided["small"].decided.all()
    assert not found.decided["small"].seconds.any()
    wanted = np.where(even[:, None], some.decision.power_w, loud.power_w)
    np.testing.assert_array_equal(found.decided["small"].decision.power_w, wanted)
    nobody = study._best([Entry("a", {"small": changed(some, decided=np.zeros(len(old), bool))})])
    assert not nobody.decided["small"].decided.any()


def test_an_agent_decides_only_what_it_takes():
    study = BenchmarkSet(solvers=("ppo-mlp", "randas"), presets=("paper", "small"))
    kinds = {(cell.scheme, cell.value) for cell in study.cells()}
    assert kinds == {("ppo-mlp", "paper"), ("randas", "paper"), ("randas", "small")}


def test_a_failed_decision_counts_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    study = BenchmarkSet(solvers=("randas",), presets=("small",))

    def compute(cells):
        import pandas

        return pandas.DataFrame(
            [{"scheme": cell.scheme, "value": cell.value, "index": cell.index, "error": "killed"} for cell in cells]
        )

    report = study.report(compute)
    (tmp_path / "x.entry.npz").write_bytes(report.files[f"randas-0{SUFFIX}"])
    assert not load_entry(tmp_path / "x.entry.npz").decided["small"].decided.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["leaderboard", "--alone"], "--alone leaves nothing to score"),
        (["leaderboard", "nowhere"], "there is no nowhere"),
        (["study", "benchmark-set", "--presets", "smal"], "unknown preset of the benchmark set 'smal'"),
        (["study", "benchmark-set", "--solvers", "x"], "unknown solver 'x'"),
        (["study", "benchmark-set", "--max-seconds", "0"], "max_seconds must be"),
    ],
)
def test_bad_arguments_are_told(arguments: list[str], message: str, capsys, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_decisions_and_times_belong_together(best: Entry):
    decision = best.decided["small"].decision
    size = len(SMALL.lower_bound_j)
    with pytest.raises(ValueError, match="decided must be an array"):
        Decided(decision, np.ones(2, bool), np.zeros(size))
    with pytest.raises(ValueError, match="seconds must be an array"):
        Decided(decision, np.ones(size, bool), np.zeros(1))
    with pytest.raises(ValueError, match="at least one preset"):
        Entry("x", {})

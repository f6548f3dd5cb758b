"""``secagent study perception``: a reduced form with other words, the tables, and the page's rows."""

import json
import pkgutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hashing_encoder import HashingEncoder

from eval.studies.perception import cells, learning
from eval.studies.perception.study import ABLATIONS, Perception
from eval.studies.perception.tables import bits_table, flags_of, markdown, of_seen_sets, pooled
from secagent_env.radio_scenes import SEEN_SETS, SETS
from secagent_env.radio_scenes.scenes import sample_scenes
from solvers.perception.features import features

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory):
    """The study with three steps of training, one scene, and an encoder that knows no language."""
    pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    words = HashingEncoder(48)

    def compute(several):
        rows = []
        for cell in several:
            function = pkgutil.resolve_name(cell.function)
            found = function(cell)
            for row in [found] if isinstance(found, dict) else found:
                assert function.promise.fault(row) is None
                rows.append({"scheme": cell.scheme, **row})
        return pd.DataFrame(rows)

    runs = tmp_path_factory.mktemp("runs")
    study = Perception(scenes=4, samples=1, training_scenes=2, steps=3, train=True, runs=runs)
    with pytest.MonkeyPatch.context() as patch:
        for module in (cells, learning):
            patch.setattr(module, "default_encoder", lambda: words)
        for cached in (learning.material, cells._prototypes, cells._handbook, cells._fusion_of, cells.best_of_sets):
            cached.cache_clear()
        yield study.report(compute), runs
    for cached in (learning.material, cells._prototypes, cells._handbook, cells._fusion_of, cells.best_of_sets):
        cached.cache_clear()


def test_a_reduced_study_judges_everybody_on_the_same_scenes(report):
    (made, _), rows = report, report[0].numbers
    retrieval = rows[rows["table"] == "retrieval"]
    assert {"sentences", "labels", "untrained", "chance"} <= set(retrieval[retrieval["phrasing"] == "by hand"]["who"])
    assert set(map(len, retrieval["exact1"])) == {1 + 3 * len(SETS), 1 + 4 * len(SETS)}
    for _, row in retrieval.iterrows():
        one, five, covers = (flags_of(row[name]) for name in ("exact1", "exact5", "covers1"))
        assert (one <= five).all()
        assert (one <= covers).all()
    chance = retrieval[(retrieval["who"] == "chance") & (retrieval["phrasing"] == "by hand")]
    assert 0 <= pooled(chance, "exact1").mean() < 0.2
    by_bits = {who: (bits, rate.mean) for who, bits, rate, _ in bits_table(rows)}
    assert by_bits["samples, 8 bit"][0] == 2 * 16 * 16 * 8 * 8 + 32 + 96
    assert by_bits["vector, int8"][0] == 8 * 48 + 96
    assert by_bits["vector, binary"][0] == 48 + 96
    best = by_bits["none: best of each scene, in hindsight"][1]
    assert all(rate <= best + 1e-9 for _, rate in by_bits.values())
    assert made.text.count("| ") > 50


def test_the_classifier_of_sets_names_no_set_that_it_did_not_see(report):
    rows = report[0].numbers
    mine = rows[rows["who"] == "classifier of sets"]
    assert pooled(mine, "exact5", seen_sets=False).sum() == 0


def test_trainings_leave_encoders_that_differ(report):
    names = {path.stem.partition("-")[0] for path in report[1].iterdir()}
    assert names == {"sentences", *ABLATIONS}
    assert len({path.read_bytes() for path in report[1].iterdir()}) == len(names)


def test_the_picture_is_drawn(report, tmp_path):
    report[0].draw(tmp_path / "perception")
    assert (tmp_path / "perception.png").stat().st_size > 10_000


def test_the_tables_come_back_from_the_file(report, tmp_path):
    report[0].write(tmp_path, "perception")
    again = pd.read_csv(tmp_path / "perception.csv").fillna("")
    assert markdown(again) == (tmp_path / "perception.md").read_text(encoding="utf-8")


def test_what_counts_in_a_pool():
    seen = of_seen_sets(2, 4 * len(SETS))
    assert seen.sum() == 2 * 2 * len(SEEN_SETS)
    text = "h" + "".join("1" if flag else "0" for flag in of_seen_sets(1, len(SETS)))
    frame = pd.DataFrame([{"each": 1, "exact1": text, "rate": json.dumps(list(range(26)))}])
    assert pooled(frame, "exact1", seen_sets=True).mean() == 1
    assert pooled(frame, "exact1", seen_sets=False).mean() == 0
    assert pooled(frame, "rate").tolist() == list(range(26))


@pytest.mark.parametrize(("depth", "least", "most"), [(8, 0.0, 0.05), (4, 0.05, 0.2), (2, 0.2, 0.6), (1, 0.4, 0.8)])
def test_coarse_samples_lose_what_their_bits_say(depth, least, most):
    received = sample_scenes([("jamming",)], seed=1).received
    sent = cells.coarse(received, depth)
    assert sent.shape == received.shape
    assert len(np.unique(sent.real)) <= 2**depth
    error = np.sqrt(np.mean(abs(sent - received) ** 2) / np.mean(abs(received) ** 2))
    assert least <= error <= most


def test_rounded_features_keep_their_ends():
    observed = features(sample_scenes([(), ("doppler",)], seed=2).received)
    sent = cells.rounded(observed, 4)
    assert all(len(np.unique(row)) <= 16 for row in sent)
    assert sent.max(axis=1) == pytest.approx(observed.max(axis=1), abs=1e-4)
    assert abs(sent - observed).max() <= np.ptp(observed, axis=1).max() / 30 + 1e-4


def test_bad_options_are_told():
    with pytest.raises(ValueError, match="scenes must be an integer ≥ 1, got 0"):
        Perception(scenes=0)


def test_the_page_shows_the_rows_beside_it():
    frame = pd.read_csv(DOCS / "perception.csv").fillna("")
    page = (DOCS / "perception.md").read_text(encoding="utf-8")
    for table in markdown(frame).strip().split("\n\n"):
        assert table.strip() in page

"""The catalogue of experiments, and the protocol that they share."""

from argparse import Namespace
from pathlib import Path

import pytest

from eval.experiments.catalogue import CATALOGUE, arguments_of, chosen
from eval.experiments.genainet_power.models import ModelPowerGames
from eval.experiments.knowledge_energy.experiment import KnowledgeEnergy
from eval.experiments.protocol import Experiment, Report, run
from eval.experiments.secure.experiment import EnergyTables
from eval.experiments.secure.printed import EXHIBITS
from eval.studies.convoy.models import ModelConvoy
from eval.studies.experience.models import ModelExperience
from eval.studies.knowledge_use.models import ModelGraph
from solvers.recordings import Recording, write_recording


def test_names_are_those_of_their_experiments():
    assert list(chosen(["knowledge-energy", "fig4", "genainet-table2"]).values()) == [
        ["genainet-table2"], ["knowledge-energy"], ["fig4"]
    ]  # fmt: skip
    everything = chosen(["all"])
    assert [name for names in everything.values() for name in names] == [
        name for name in CATALOGUE if not name.endswith("-models")
    ]
    assert everything[EnergyTables] == list(EXHIBITS)
    assert everything[KnowledgeEnergy] == [KnowledgeEnergy.name]
    assert all(issubclass(experiment, Experiment) for experiment in everything)
    with pytest.raises(ValueError, match="unknown experiment 'fig7'"):
        chosen(["fig4", "fig7"])


@pytest.mark.parametrize(
    ("experiment", "usual"),
    [(EnergyTables, 100), (ModelPowerGames, 6), (ModelExperience, 50), (ModelConvoy, 40), (ModelGraph, 1)],
)
def test_without_a_number_an_experiment_takes_its_usual_instances(experiment, usual):
    args = Namespace(instances=None, replay=None)
    assert arguments_of(experiment, ["a"], args).instances == usual
    assert arguments_of(experiment, ["a"], Namespace(instances=3, replay=None)).instances == 3
    assert args.instances is None


def test_a_replay_takes_the_instances_of_its_recording(tmp_path):
    write_recording(tmp_path / "r.xz", Recording("c", options={"instances": 2}))
    args = Namespace(instances=None, replay=str(tmp_path / "r.xz"), usual=lambda name: None)
    assert arguments_of(ModelPowerGames, ["genainet-table2-models"], args).instances == 2


class Trial(Experiment):
    """An experiment without cells whose report has every kind of file."""

    name = "trial"

    def cells(self):
        return []

    def report(self, compute):
        assert len(compute(self.cells())) == 0
        parts = {"part": Report(numbers=[{"a": 1}])}
        draw = lambda path: Path(f"{path}.png").touch()  # noqa: E731
        return Report("text\n", [{"b": 2}], draw, {"more.json": "{}"}, parts)


def test_a_report_is_written_with_its_files_and_parts(tmp_path):
    assert run(Trial(), tmp_path / "out", workers=1) == "text\n"
    files = {path.name: path.read_text() for path in (tmp_path / "out").iterdir() if path.is_file()}
    tables = {"trial.md": "text\n", "trial.csv": "b\n2\n", "part.csv": "a\n1\n"}
    assert files == {**tables, "trial.png": "", "more.json": "{}"}

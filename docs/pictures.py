"""Draw the pictures of the README and of these pages anew: ``python docs/pictures.py``.

The same picture every time, but for the seconds in ``compare.png`` and ``scaling.png``, which are measured.
"""

import argparse
import tempfile
from pathlib import Path

from matplotlib.figure import Figure

import solvers
from secagent_env import Scenario, sample_instance
from secagent_env.rendering import figure
from secagent_env.support.files import whole_file, write_bytes

IMAGES = Path(__file__).parent / "images"
DPI = 160
SHOWN, SHOWN_S = 1, 4.0
"""The seed of the crossing that is shown, and the time, s."""
JAMMED = 8
"""The seed of a network that ``asc`` does not solve without jammers, and solves to proved optimality with them."""


def save(picture: Figure, path: Path) -> None:
    """Write a picture."""
    with whole_file(path) as file:
        picture.savefig(file, format="png", dpi=DPI)


def network(path: Path) -> None:
    """Draw the preset ``paper`` with the decision of the solver ``exact``."""
    instance = sample_instance("paper", seed=0)
    decision = solvers.make("exact").solve(instance).decision
    save(figure(instance, decision), path)


def jamming(path: Path) -> None:
    """Draw a network with eavesdroppers among the agents and few antennas, and a decision of ``asc``."""
    scenario = Scenario(num_agents=10, num_antennas=2, num_eavesdroppers=3, min_selected=3, eve_area_m=(20, 100))
    instance = sample_instance(scenario, seed=JAMMED)
    save(figure(instance, solvers.make("asc").solve(instance).decision), path)


def compare(path: Path, instances: int = 20) -> None:
    """Draw what ``secagent compare`` draws, with its defaults."""
    from eval.compare.comparison import PICTURE, Comparison, run

    with tempfile.TemporaryDirectory() as folder:
        run(Comparison(instances=instances), folder)
        write_bytes(path, (Path(folder) / PICTURE).read_bytes())


def scaling(path: Path) -> None:
    """Draw what ``secagent study scaling`` draws: minutes."""
    from eval.experiments.protocol import run
    from eval.studies.scaling.study import Scaling

    with tempfile.TemporaryDirectory() as folder:
        run(Scaling(max_seconds=10), folder, workers=1)
        write_bytes(path, (Path(folder) / "scaling.png").read_bytes())


def convoy(path: Path) -> None:
    """Draw four vehicles that negotiate by intents."""
    from eval.studies.convoy.picture import stages
    from secagent_env.convoy import CrossingRules
    from secagent_env.convoy.pictures import figure as crossing
    from solvers.convoy.team import Team

    for running, history in stages(CrossingRules(), Team(), SHOWN):
        if running.time_s >= SHOWN_S:
            save(crossing(running, history=history), path)
            return


PICTURES = {
    "network.png": network,
    "jamming.png": jamming,
    "compare.png": compare,
    "scaling.png": scaling,
    "convoy.png": convoy,
}


def main(arguments: list[str] | None = None) -> None:
    """Draw the pictures named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"which (default: {' '.join(PICTURES)})")
    parser.add_argument("--out", type=Path, default=IMAGES, help="folder (default: docs/images)")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.names) - set(PICTURES):
        parser.error(f"unknown picture {min(unknown)!r}; there are: {', '.join(PICTURES)}")
    chosen.out.mkdir(parents=True, exist_ok=True)
    for name in chosen.names or PICTURES:
        PICTURES[name](chosen.out / name)
        print(f"drew {chosen.out / name}")


if __name__ == "__main__":
    main()

"""Experiments from the options of their command."""

import argparse

from eval.experiments.protocol import Experiment


def from_options(experiment: type[Experiment], *options: str) -> Experiment:
    """Return the experiment that options of its own describe."""
    parser = argparse.ArgumentParser()
    experiment.add_arguments(parser)
    return experiment.from_arguments(parser.parse_args(options))

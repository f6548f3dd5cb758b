"""A film of one crossing, as a GIF."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from secagent_env.convoy.crossing import Crossings, draw
from secagent_env.convoy.pictures import rgb_array
from secagent_env.convoy.rules import STEP_S, CrossingRules
from secagent_env.support.extras import require
from secagent_env.support.files import write_bytes
from solvers.convoy.team import Team

WIDTH = 770
"""Of the film, in pixels."""
EVERY = 2
"""A frame for so many steps."""


def save_film(path: Path, seed: int) -> None:
    """Write a film of four vehicles that negotiate by intents; OSError if the file cannot be written."""
    write_bytes(path, film(frames(CrossingRules(), Team(), seed)))


def stages(rules: CrossingRules, team: Team, seed: int) -> Iterator[tuple[Crossings, list[np.ndarray]]]:
    """Yield one crossing of a team after every step, with the places (V,) so far; the same object every time."""
    own = team.rules(rules)
    running = Crossings(own, draw(own, np.random.default_rng([seed, 0]), 1), np.random.default_rng([seed, 1]))
    playing, history = team.begin(own, 1, seed), [running.place[0].copy()]
    yield running, history
    while not running.over:
        running.step(playing.act(running))
        history.append(running.place[0].copy())
        yield running, history


def frames(rules: CrossingRules, team: Team, seed: int) -> list[np.ndarray]:
    """Return the pictures of one crossing of a team."""
    return [
        rgb_array(running, history=history)
        for step, (running, history) in enumerate(stages(rules, team, seed))
        if step % EVERY == 0 or running.over
    ]


def film(pictures: list[np.ndarray]) -> bytes:
    """Return pictures as an animated GIF of few colours."""
    image: Any = require("PIL.Image", extra="render")
    size = (WIDTH, WIDTH * pictures[0].shape[0] // pictures[0].shape[1])
    first, *others = (
        image.fromarray(picture).resize(size).quantize(48, dither=image.Dither.NONE) for picture in pictures
    )
    buffer = io.BytesIO()
    duration = round(1000 * STEP_S * EVERY)
    first.save(buffer, "GIF", save_all=True, append_images=others, duration=duration, loop=0, optimize=True)
    return buffer.getvalue()

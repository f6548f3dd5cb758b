"""How both environments show a match: a picture, text, or a window."""

from __future__ import annotations

from typing import Any

import gymnasium

from secagent_env.power_control.match import Record
from secagent_env.support.errors import unknown_name

RENDER_MODES = ("rgb_array", "human", "ansi")
FPS = 4


class Display:
    """Shows records in a render mode; None shows nothing.

    Raises
    ------
    ValueError
        If there is no such render mode.
    """

    def __init__(self, render_mode: str | None) -> None:
        if render_mode is not None and render_mode not in RENDER_MODES:
            raise unknown_name("render_mode", render_mode, RENDER_MODES)
        self._mode = render_mode
        self._window: Any = None

    def render(self, record: Record) -> Any:
        """Return the picture (``rgb_array``) or the text (``ansi``), or show a window (``human``)."""
        if self._mode is None:
            gymnasium.logger.warn("render() needs a render_mode, such as render_mode='rgb_array'")
            return None
        from secagent_env.power_control import pictures

        if self._mode == "ansi":
            return pictures.ansi(record)
        picture = pictures.rgb_array(record)
        if self._mode == "rgb_array":
            return picture
        if self._window is None:
            from secagent_env.rendering import Window

            self._window = Window(fps=FPS)
        self._window.show(picture)
        return None

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
            self._window = None

"""How environments show themselves: a picture, text, or a window."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from secagent_env.rendering.window import Window
from secagent_env.support.errors import check_name

RENDER_MODES = ("rgb_array", "human", "ansi")
FPS = 4


def check_render_mode(mode: str | None, valid: Sequence[str] = RENDER_MODES) -> str | None:
    """Return a render mode, or None; ValueError where it is none of the valid ones."""
    return None if mode is None else check_name("render_mode", mode, valid)


def warn_without_mode() -> None:
    """Warn, as Gymnasium does, that nothing is shown without a render mode."""
    gymnasium.logger.warn("render() needs a render_mode: gymnasium.make(…, render_mode='rgb_array')")


class Rendered:
    """An environment with the render modes :data:`RENDER_MODES`, or none."""

    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": FPS}  # noqa: RUF012
    render_mode: str | None
    _window: Any = None

    @abstractmethod
    def _text(self) -> str:
        """Return the text of ``ansi``."""

    @abstractmethod
    def _picture(self) -> np.ndarray:
        """Return the picture of ``rgb_array`` and ``human``, (height, width, 3) uint8."""

    def render(self) -> Any:
        """Return the picture (``rgb_array``) or the text (``ansi``), or show a window (``human``)."""
        if self.render_mode is None:
            warn_without_mode()
            return None
        if self.render_mode == "ansi":
            return self._text()
        picture = self._picture()
        if self.render_mode == "rgb_array":
            return picture
        if self._window is None:
            self._window = Window(fps=FPS)
        self._window.show(picture)
        return None

    def _show(self) -> None:
        """Show the window, where there is one to be shown."""
        if self.render_mode == "human":
            self.render()

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
            self._window = None

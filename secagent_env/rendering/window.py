"""A window on the screen for frames, as Gymnasium's own environments open one."""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

import numpy as np

from secagent_env.support.extras import require


class Window:
    """A pygame window that shows frames; it opens with the first one.

    Without a screen the frames go nowhere and nothing fails: ``render_mode="human"`` runs on a server too.
    :meth:`show` waits for the rest of the frame before, so that there are at most ``fps`` frames per second.
    """

    def __init__(self, title: str = "secagent", fps: float = 4) -> None:
        self.title = title
        self.fps = fps
        self._screen: Any = None
        self._clock: Any = None

    def show(self, rgb: np.ndarray) -> None:
        """Show a (height, width, 3) uint8 frame and answer the window system's events."""
        pygame = require("pygame", extra="render")
        size = (rgb.shape[1], rgb.shape[0])
        # Closing one pygame window closes all of them: there is one display per process.
        if self._screen is None or not pygame.display.get_init() or self._screen.get_size() != size:
            self._screen = _open(pygame, size)
            pygame.display.set_caption(self.title)
            self._clock = pygame.time.Clock()
        self._screen.blit(pygame.surfarray.make_surface(np.swapaxes(rgb, 0, 1)), (0, 0))
        pygame.event.pump()
        self._clock.tick(self.fps)
        pygame.display.flip()

    def close(self) -> None:
        """Close the window; :meth:`show` opens it again."""
        if self._screen is not None:
            require("pygame", extra="render").display.quit()
            self._screen = None


def _open(pygame: ModuleType, size: tuple[int, int]) -> Any:
    """Open the display, or SDL's dummy one where there is no screen."""
    # Only the display: pygame.init() would open sound devices too.
    try:
        pygame.display.init()
        return pygame.display.set_mode(size)
    except pygame.error:
        pygame.display.quit()
    before = os.environ.get("SDL_VIDEODRIVER")
    os.environ["SDL_VIDEODRIVER"] = "dummy"
    try:
        pygame.display.init()
        return pygame.display.set_mode(size)
    finally:
        if before is None:
            del os.environ["SDL_VIDEODRIVER"]
        else:
            os.environ["SDL_VIDEODRIVER"] = before

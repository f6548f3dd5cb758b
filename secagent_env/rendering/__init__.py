"""Pictures of a network and a decision: a matplotlib figure, its pixels, a text panel, and a window.

Everything shown comes from :func:`~secagent_env.evaluate` and the physics behind it. The numbers span
twenty orders of magnitude, so SINRs are in dB, powers in dBm, and energies on a logarithmic axis.
Matplotlib and pygame (the extra ``render``) are imported when a picture or a window is asked for.
"""

from secagent_env.rendering.batteries import Batteries
from secagent_env.rendering.picture import figure, rgb_array
from secagent_env.rendering.text import ansi
from secagent_env.rendering.window import Window

__all__ = ["Batteries", "Window", "ansi", "figure", "rgb_array"]

"""Channels of your own: from measurements, ray tracers and MATLAB to instances.

:meth:`secagent_env.Instance.from_channels` takes arrays, and makes what you do not have. The functions here turn what
others write into such arrays: y = H w becomes ``channel = conj(H)``, of which |hᴴw|² counts everywhere in secagent.

>>> import numpy as np
>>> from secagent_env.channels import from_sionna
>>> h = np.ones((6, 1, 1, 4, 1, 3), complex)  # receivers, their antennas, transmitters, their antennas, times, carriers
>>> from_sionna(h, subcarrier=0).shape
(6, 4)
"""

from secagent_env.channels.choose import drawn_groups, from_array, path_sum, power_gain
from secagent_env.channels.deepmimo import from_deepmimo
from secagent_env.channels.example import example_campus
from secagent_env.channels.files import read_array, read_arrays
from secagent_env.channels.sionna import from_sionna, sionna_gain

__all__ = [
    "drawn_groups",
    "example_campus",
    "from_array",
    "from_deepmimo",
    "from_sionna",
    "path_sum",
    "power_gain",
    "read_array",
    "read_arrays",
    "sionna_gain",
]

"""The version of the distribution; the build reads it from here."""

import importlib.metadata

__version__ = "0.1.0"

DISTRIBUTION = "secagent-env"
FORMER = "secagent"
"""What the distribution was called once; on the package index the name belongs to others."""


def former_distribution() -> str:
    """Return what to do about an installed distribution of the former name, in one sentence; "" where there is none."""
    try:
        found = importlib.metadata.version(FORMER)
    except importlib.metadata.PackageNotFoundError:
        return ""
    return (
        f"the distribution {FORMER!r} {found} is installed, which is not this one: remove it with "
        f"pip uninstall {FORMER}, and install {DISTRIBUTION} again"
    )

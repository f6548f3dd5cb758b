"""The report: what a results folder holds as one HTML file that works offline, with figures for papers beside it.

:mod:`~eval.report.data.gather` reads the folder, :mod:`~eval.report.data.recompute` solves a few networks again for
what folders do not hold, the ``*_charts`` draw, :mod:`~eval.report.sections.sections` and
:mod:`~eval.report.sections.configuration` write, and :mod:`~eval.report.page` puts all into the file.
"""

from eval.report.write import write_report

__all__ = ["write_report"]

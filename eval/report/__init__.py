"""The report: the contents of a results folder as one HTML file that works offline, with figures for papers beside it.

``data`` reads the folder and solves a few networks again, ``sections`` prepares charts, tables and texts, and
:mod:`~eval.report.page` fills the templates of ``assets``.
"""

from eval.report.write import write_report

__all__ = ["write_report"]

"""The printed numbers of the second paper's Table 1."""

from __future__ import annotations

from dataclasses import dataclass

from eval.experiments.knowledge_transfer.cells import PRINTED_RATIO

OVERALL = "Overall"


@dataclass(frozen=True)
class PrintedRow:
    """A row of the table: accuracies with full, compressed and no knowledge, and the ratio of the bits.

    ``questions`` is not printed: it is the one number that the accuracies are fractions of.
    """

    full: float
    compressed: float
    none: float
    ratio: float
    questions: int

    @property
    def accuracies(self) -> tuple[float, float, float]:
        """Full, compressed, none."""
        return self.full, self.compressed, self.none


TABLE_1 = {
    "Lexicon": PrintedRow(0.9200, 0.9600, 0.8800, 0.4803, 25),
    "Research overview": PrintedRow(0.8846, 0.8365, 0.7212, 0.4484, 104),
    "Research publications": PrintedRow(0.9116, 0.8325, 0.7163, 0.4005, 215),
    "Standards overview": PrintedRow(0.9677, 0.9194, 0.7742, 0.4765, 62),
    "Standards specifications": PrintedRow(0.8191, 0.7766, 0.5319, 0.5235, 94),
    OVERALL: PrintedRow(0.8960, 0.8400, 0.6920, PRINTED_RATIO, 500),
}
"""By category."""

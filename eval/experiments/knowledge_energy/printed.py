"""The curve through the printed numbers of the second paper's Table 1, row "Overall"."""

from eval.experiments.knowledge_energy.results import Curve
from eval.experiments.knowledge_transfer.printed import OVERALL, TABLE_1

_ROW = TABLE_1[OVERALL]
PRINTED = Curve("LLM of the second paper", ((0.0, _ROW.none), (_ROW.ratio, _ROW.compressed), (1.0, _ROW.full)))

"""Experience: paths that worked become lessons, kept, retrieved in later games, and forgotten if they mislead.

The second paper's evolving knowledge (section III-A, and Fig. 2): :mod:`~solvers.experience.lessons` is a lesson in
words and numbers, :mod:`~solvers.experience.memory` an agent's base of them, or one that agents share, and
:mod:`~solvers.experience.learning` a sequence of games with it.
"""

from solvers.experience.lessons import Lesson, Situation, SituationEncoder
from solvers.experience.memory import ExperienceMemory

__all__ = ["ExperienceMemory", "Lesson", "Situation", "SituationEncoder"]

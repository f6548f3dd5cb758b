"""Question sets: what users ask the agents, with the right answers.

>>> from secagent_env import questions
>>> len(questions.load("sample").categories) > 1
True
"""

from secagent_env.questions.loading import load, names
from secagent_env.questions.question import Question, QuestionSet
from secagent_env.questions.splitting import sample, split

__all__ = ["Question", "QuestionSet", "load", "names", "sample", "split"]

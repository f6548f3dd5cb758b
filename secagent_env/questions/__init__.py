"""Question sets: what users ask the agents, with the right answers."""

from secagent_env.questions.question import Question, QuestionSet

__all__ = ["Question", "QuestionSet"]

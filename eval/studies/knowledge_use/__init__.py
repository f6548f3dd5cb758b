"""Knowledge that is used: questions that need two facts, facts that change, and passages that lie."""

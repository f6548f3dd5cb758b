"""ASC with what helps in practice: cheap and jammed starts, exchanges of agents, polished beams."""

"""Networks of policies: for the environments' formats, for any number of agents, antennas and eavesdroppers."""

"""The ablations of LAW: what its parts are worth."""

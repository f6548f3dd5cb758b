"""Powers of senders and jammers at a given selection and beam."""

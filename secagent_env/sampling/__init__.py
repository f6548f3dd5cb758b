"""Where instances come from: random networks and tasks, from a seed, and estimates of them."""

"""Random instances: the channel model (fading), networks and tasks from seeds (generator), and estimates."""

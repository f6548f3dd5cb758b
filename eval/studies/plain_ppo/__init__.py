"""``secagent study plain-ppo``: what PPO of a library learns in minutes on the ids that learn."""

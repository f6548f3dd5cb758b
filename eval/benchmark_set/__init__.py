"""The benchmark set: networks that stay as they are, with certificates, and a leaderboard of who decides them best."""

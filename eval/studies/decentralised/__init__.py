"""Decentralised allocation: what agents reach that decide by what they see themselves."""

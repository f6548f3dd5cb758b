"""Designs for channels that are not known exactly: how often they fail, and what their safety costs."""

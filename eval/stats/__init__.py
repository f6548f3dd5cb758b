"""Statistics: bootstrap intervals, shares, paired comparisons."""

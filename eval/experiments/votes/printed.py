"""The printed numbers of the first paper's Table V."""

TABLE_V: dict[str, dict[str, float]] = {
    "arc-easy": {"asc": 0.85, "law": 0.76, "ga": 0.66, "randas": 0.56},
    "arc-challenge": {"asc": 0.75, "law": 0.65, "ga": 0.56, "randas": 0.41},
    "boolq": {"asc": 0.83, "law": 0.82, "ga": 0.80, "randas": 0.75},
}
"""Share of right answers, by data set and scheme."""

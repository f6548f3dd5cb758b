"""The printed numbers of the second paper's Table 2, power control."""

TABLE_2: dict[int, dict[str, tuple[float, float]]] = {
    2: {"DPC": (1.747, 16.536), "GenAI alone": (1.625, 8.842), "GenAINet": (1.397, 10.700)},
    4: {"DPC": (2.086, 28.254), "GenAI alone": (1.967, 17.156), "GenAINet": (1.736, 15.974)},
    10: {"DPC": (2.433, 76.785), "GenAI alone": (2.403, 34.696), "GenAINet": (2.249, 30.622)},
}
"""By number of pairs and method: absolute rate gap in kbps, and total power in W."""

MESSAGES = {2: "3.72", 4: "5.00", 10: "3.80"}
"""Messages per transmitter of GenAINet, by number of pairs."""

CURVES = 4
"""Number of pairs in Figs 7 and 8."""

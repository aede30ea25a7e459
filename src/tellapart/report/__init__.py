"""What a run has found, for people: `report.html` and `MODEL_CARD.md`, drawn from its folder."""

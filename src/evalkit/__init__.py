"""evalkit: evaluate a programme for people on long-term support from weekly register data and surveys."""

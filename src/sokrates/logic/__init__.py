"""The trusted kernel: formulas, controlled English, the rules, the proof state, and what premises entail."""

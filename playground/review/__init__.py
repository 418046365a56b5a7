"""The operator's view of the gate: reports of mistakes, numbers, trying thresholds and texts. Knows no engine."""

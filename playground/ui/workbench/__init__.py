"""The operator's page: numbers, reports, trying thresholds and texts. Closed to everybody else."""

"""What is measured, against what, and how. Ratios are taken within one run; nothing here is a test."""

"""The models on this machine: fetched, checked, converted, counted and put away."""

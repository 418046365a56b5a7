"""Running the playground for others: health, figures, the request's way in, and the end of the process."""

"""Looking at the machine and at what is set up on it, and saying what to mend."""

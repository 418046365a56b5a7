"""One engine each, in a process of its own: what `benchmarks.peers` starts and asks for figures."""

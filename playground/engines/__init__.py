"""Text generation behind one small contract: see `contract`."""

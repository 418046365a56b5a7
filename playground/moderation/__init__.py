"""The safety layer: detectors, policy, output guard, moderator. It knows nothing of engines."""

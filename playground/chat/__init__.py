"""The use cases: a message comes in, is screened, answered by an engine, screened again and kept."""

"""One folder a wire protocol; each reads and writes the neutral language and knows nothing of its siblings."""

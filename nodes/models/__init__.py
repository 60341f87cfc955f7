"""Models: handles with a configuration and a digest. Weights are read on first use, by the run's keeper."""

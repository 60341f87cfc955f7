"""The node library. Importing this package imports nothing else."""

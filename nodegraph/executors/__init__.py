"""Where graphs run: in this process, or in workers beside it."""

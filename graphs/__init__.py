"""The shipped graphs: YAML files only."""

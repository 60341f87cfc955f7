"""Programs on a machine: keys, cache, checks on shapes, runs, plans, and what they tell."""

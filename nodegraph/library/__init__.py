"""Node functions as types: ports, their types, signatures, and the registry of what is installed. Knows no graph."""

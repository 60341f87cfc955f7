"""`python -m nodegraph` is the `nodegraph` command."""

import sys
from pathlib import Path

from nodegraph.cli import main

if __name__ == "__main__":
    # `-m` looks into the current folder first: a file there that is named like a package of ours is not meant.
    if Path(sys.path[0]).resolve() != Path(__file__).resolve().parents[1]:
        del sys.path[0]
    main()

"""`python -m nodegraph` is the `nodegraph` command."""

import sys
from pathlib import Path

from nodegraph.cli import main

if __name__ == "__main__":
    # `-m` looks into the current folder first: a file there that is named like a package of ours is not meant.
    here = Path(__file__).resolve().parents[1]
    if not sys.flags.safe_path and Path(sys.path[0]).resolve() != here:
        del sys.path[0]
    main()

"""`python -m nodegraph` is the `nodegraph` command."""

from nodegraph.cli import main

if __name__ == "__main__":
    main()

"""``python -m evalkit``: the command line where no console script is on the path."""

import sys

import evalkit

if __name__ == "__main__":
    sys.exit(evalkit.cli.main())

"""``python -m zipsgd`` is ``zipsgd``."""

import sys

from zipsgd.cli import main

if __name__ == "__main__":
    sys.exit(main())

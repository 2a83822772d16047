"""``python -m corehost``."""

import sys

from corehost.cli import main

if __name__ == "__main__":
    sys.exit(main())

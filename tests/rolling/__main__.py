"""``python -m rolling``: see :mod:`support.many`. Small, because every forked instance imports it."""

import sys

if __name__ == "__main__":
    from rolling.runner import ROUNDS
    from support.many import main

    sys.exit(main(ROUNDS))

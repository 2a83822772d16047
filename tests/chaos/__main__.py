"""``python -m chaos``: see :mod:`chaos.runner`. Small, because every forked instance imports it."""

import sys

if __name__ == "__main__":
    from chaos.runner import ROUNDS
    from support.many import main

    sys.exit(main(ROUNDS))

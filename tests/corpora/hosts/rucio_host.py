"""What a host of Rucio imports first: its modules read a configuration file when they are imported."""

import os
from pathlib import Path

os.environ.setdefault("RUCIO_CONFIG", str(Path(__file__).with_name("rucio.cfg")))

"""What a host of ironic imports first: two revisions ask oslo.db for an engine, to learn its dialect."""

import os

from oslo_config import cfg
from oslo_db import options

url = os.environ["COREHOST_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
options.set_defaults(cfg.CONF, connection=url)

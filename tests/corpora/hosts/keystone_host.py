"""What a host of keystone imports first: keystone's options, which its revisions read."""

import keystone.conf

keystone.conf.configure()

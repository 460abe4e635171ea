"""``python -m stackbook``."""

import sys

from stackbook.cli import main

sys.exit(main())

"""`python -m litewf`: the command line without its script on the PATH."""

from __future__ import annotations

import sys

from litewf.cli import main

sys.exit(main())

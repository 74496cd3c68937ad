"""`python -m litewf`: the command line without its script on the PATH."""

import sys

from litewf.cli import main

sys.exit(main())

"""python -m phinb.cli: the same as the command phinb."""

from __future__ import annotations

import sys

from phinb.cli import main

if __name__ == "__main__":
    sys.exit(main())

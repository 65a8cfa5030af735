"""``python -m flyball``."""

import sys

from flyball.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

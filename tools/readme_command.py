"""Print a command of README.md, so that what CI runs and what a reader is told cannot drift apart.

A command is the fenced block after the line ``<!-- command: NAME -->``.

    python tools/readme_command.py test
"""

import re
import sys
from pathlib import Path


def command(readme: str, name: str) -> str:
    """Return the one line of the block called ``name``."""
    blocks = re.findall(rf"<!-- command: {re.escape(name)} -->\n+```sh\n(.*?)\n```", readme, re.DOTALL)
    if len(blocks) != 1:
        raise SystemExit(f"README.md must have one block <!-- command: {name} -->, found {len(blocks)}")
    text = str(blocks[0])
    if "\n" in text:
        raise SystemExit(f"the command {name!r} of README.md must be one line, got {text!r}")
    return text


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    print(command((Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8"), sys.argv[1]))

"""Check that a source distribution holds every file of the repository but the excluded, byte for byte, and no other.

What is built from it is then what is built from a clone. Run in a clone:

    python tools/check_sdist.py dist/flyball-*.tar.gz
"""

import argparse
import subprocess
import tarfile
import tomllib
from pathlib import Path

ADDED = {"PKG-INFO"}
"""What a source distribution has beyond the repository."""


def tracked() -> dict[str, bytes]:
    """Return the repository's files that belong into a source distribution, by path."""
    settings = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    excluded = tuple(f"{folder}/" for folder in settings["tool"]["scikit-build"]["sdist"]["exclude"])
    output = subprocess.run(["git", "ls-files", "-z"], check=True, capture_output=True, text=True).stdout
    names = (name for name in output.split("\0") if name)
    return {name: Path(name).read_bytes() for name in names if not name.startswith(excluded)}


def packed(archive: Path) -> dict[str, bytes]:
    """Return the files of ``archive`` by path below its one folder."""
    with tarfile.open(archive) as file:
        return {
            member.name.partition("/")[2]: content.read()
            for member in file
            if member.isfile() and (content := file.extractfile(member))
        }


def main() -> None:
    """Fail with the list of what is missing, added or different."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    archive = parser.parse_args().archive
    wanted, found = tracked(), packed(archive)
    problems = [f"{name} is missing" for name in sorted(wanted.keys() - found.keys())]
    problems += [f"{name} is not in the repository" for name in sorted(found.keys() - wanted.keys() - ADDED)]
    problems += [f"{name} is different" for name in sorted(wanted.keys() & found.keys()) if wanted[name] != found[name]]
    if problems or not wanted:
        raise SystemExit("\n".join([f"{archive} is not the repository:", *problems]))
    print(f"{archive.name}: {len(found)} files, as in the repository")


if __name__ == "__main__":
    main()

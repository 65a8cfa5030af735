"""What bounds the steps of the networks that are trained beside peers: each kind of instruction beside its limit.

    python bench/limits.py [--networks tab digits] [--threads 2] [--rounds 8]

A step's instructions are timed one by one (``model.profile``), and each is compared with the least time that the
machine's multiply-adds and bandwidth allow it, measured in the same round. Of several rounds the one with the fastest
step is printed: a neighbour on the core makes every instruction slower, but not its limit. What adds up to more than
its limit allows owes that to zeros that it passes over; limits count all elements.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent / "peers"))
from flyball_peer import build, start
from tasks import NETWORKS, Network

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyball.program.profile import Line, Profile

GROUPS = {"products": ("dense_",), "batch normalisation": ("batch_norm_",), "updates": ("adam_",)}


def fastest(network: Network, threads: int, rounds: int) -> Profile:
    """Return the profile with the fastest step of those that ran on so many threads."""
    model = build(network)
    x, y = network.data()
    profiles = [model.profile(x, y, batch_size=network.batch, steps=200) for _ in range(rounds)]
    return min(profiles, key=lambda profile: (profile.limits.threads != threads, profile.seconds))


def cells(lines: list[Line]) -> str:
    """Return what lines take, and their share of it that their limits explain."""

    def total(of: Callable[[Line], float]) -> float:
        return 1e6 * sum(of(line) for line in lines)

    time, limit = total(lambda line: line.seconds), total(lambda line: line.limit)
    return f"{time:,.1f} ({100 * limit / time:.0f} %)" if time else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=8)
    options = parser.parse_args()
    start(options.threads)
    print(f"| network | threads | GFLOP/s, GB/s | us a step | {' | '.join(GROUPS)} | the rest |")
    print("|---" * (5 + len(GROUPS)) + "|")
    for name in options.networks:
        profile = fastest(NETWORKS[name], options.threads, options.rounds)
        limits = profile.limits
        left = list(profile.lines)
        parts = []
        for prefixes in GROUPS.values():
            parts.append(cells([line for line in left if line.instruction.startswith(prefixes)]))
            left = [line for line in left if not line.instruction.startswith(prefixes)]
        rates = f"{limits.multiply_adds / 1e9:.0f}, {limits.bandwidth / 1e9:.0f} ({limits.level})"
        total = cells(list(profile.lines))
        print(f"| {name} | {limits.threads} | {rates} | {total} | {' | '.join([*parts, cells(left)])} |", flush=True)


if __name__ == "__main__":
    main()

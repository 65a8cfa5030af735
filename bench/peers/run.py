"""flyball beside its peers: whole training steps and single operations, in turn, as ratios.

    python bench/peers/run.py [--threads 2] [--rounds 3] [--only steps|operations] [--compile] [--json PATH]

Each peer lives in a process of its own, because their thread pools would fight in one: the OpenMP of torch, of flyball
and of BLAS each keep threads spinning after a parallel region, and XLA has a pool besides (a loop after another pool's
call can be ten times slower). The processes take turns: in each round every peer runs once and the others sleep, so
that a disturbance of the machine meets all of them alike. Reported is the median over the rounds of each round's
fastest run. A peer that is not installed is reported as missing; a result that is wrong is an error, not a number.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tasks import NETWORKS, OPERATIONS

HERE = Path(__file__).parent
PEERS = ("flyball", "torch", "jax", "sklearn", "numpy", "scipy")
# Long enough for OpenMP's threads of the peer that has just run to stop spinning.
PAUSE = 0.05


class Worker:
    """One peer's process."""

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        environment = dict(os.environ, JAX_PLATFORMS="cpu", OMP_NUM_THREADS=str(threads))
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "worker.py"), name, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.greeting = self.read()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return dict(json.loads(line)) if line else {"missing": "the process ended", "error": "the process ended"}

    def ask(self, **task: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        try:
            print(json.dumps(task), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            return {"error": "the process ended"}
        return self.read()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def peak(threads: int) -> float | None:
    """GFLOP/s of float32 multiply-adds, if there is a flyball to measure them, in a process of its own."""
    code = f"from flyball import _core; print(_core.measure_multiply_adds('float32', {threads}) / 1e9)"
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    return float(result.stdout) if result.returncode == 0 else None


def peaks(threads: int) -> dict[str, float | None]:
    """Measure and print the peak on one thread and on all; without flyball there is none."""
    values = {str(count): peak(count) for count in sorted({1, threads})}
    for count, value in values.items():
        print(f"multiply-add peak, {count} thread(s): {f'{value:.1f}' if value else 'no flyball to measure'} GFLOP/s")
    return values


def measure(
    contestants: list[tuple[str, Worker]], label: str, task: Any, options: argparse.Namespace
) -> dict[str, Any]:
    """Run one task on each contestant in turn; seconds by name, or a text where it failed."""
    times: dict[str, list[float]] = {name: [] for name, _ in contestants}
    failures: dict[str, str] = {}
    for round_number in range(options.rounds):
        for name, worker in contestants:
            if name in failures:
                continue
            operation, arguments = task(name)
            answer = worker.ask(name=operation, arguments=arguments, seconds=options.seconds, forget=round_number == 0)
            if "error" in answer:
                failures[name] = answer["error"]
            else:
                times[name].append(answer["seconds"])
            time.sleep(PAUSE)
    seconds = {name: statistics.median(values) for name, values in times.items() if values and name not in failures}
    print(f"\n{label}")
    ours = seconds.get("flyball")
    for name, _ in contestants:
        if name in failures:
            print(f"  {name:42} failed: {failures[name]}")
        else:
            ratio = f"{seconds[name] / ours:9.2f} x" if ours else ""
            print(f"  {name:42} {seconds[name] * 1e6:12.1f} us {ratio}", flush=True)
    return {"seconds": seconds, "failures": failures}


def cpu_name() -> str:
    """Name of the CPU where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def markdown(steps: dict[str, Any], names: list[str]) -> str:
    """Return the table of README.md."""
    rows = [f"| network, batch | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for network, result in steps.items():
        sizes = NETWORKS[network]
        shape = "-".join(map(str, (sizes.inputs, *sizes.hidden, sizes.classes)))
        ours = result["seconds"].get("flyball")
        cells = []
        for name in names:
            value = result["seconds"].get(name)
            text = "failed" if value is None else f"{value * 1e6:.0f}" if value >= 1e-5 else f"{value * 1e6:.1f}"
            if value is not None and ours and name != "flyball":
                text += f" ({value / ours:.1f} x)"
            cells.append(text)
        rows.append(f"| {network} {shape}, {sizes.batch} | {' | '.join(cells)} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.5, help="of one peer's turn")
    parser.add_argument("--only", choices=["steps", "operations"])
    parser.add_argument("--networks", nargs="*", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--operations", nargs="*", choices=list(OPERATIONS), default=list(OPERATIONS))
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS)
    parser.add_argument("--compile", action="store_true", help="torch.compile as well; compiling takes minutes")
    parser.add_argument("--json", type=Path, help="write all numbers there")
    options = parser.parse_args()

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])  # workers inherit it
    report: dict[str, Any] = {"cpu": cpu_name(), "python": platform.python_version(), "threads": options.threads}
    print(f"{report['cpu']}, Python {report['python']}, {options.threads} threads")
    report["peak_gflops"] = peaks(options.threads)

    workers = []
    report["peers"] = {}
    for name in options.peers:
        worker = Worker(name, options.threads)
        report["peers"][name] = worker.greeting.get("about", "missing")
        if "missing" in worker.greeting:
            print(f"{name}: missing ({worker.greeting['missing']})")
            worker.close()
        else:
            print(worker.greeting["about"])
            workers.append(worker)

    report["steps"], report["operations"] = {}, {}
    if options.only != "operations":
        contestants = [
            (variant, worker)
            for worker in workers
            for variant in worker.greeting["steps"]
            if variant != "torch.compile" or options.compile
        ]
        for network in options.networks:
            sizes = NETWORKS[network]
            label = f"training step, {network}: {sizes}"
            if limit := report["peak_gflops"][str(options.threads)]:
                label += f"; its matrix products take {2 * sizes.multiply_adds / limit / 1e3:.1f} us at the peak"
            report["steps"][network] = measure(contestants, label, lambda name, n=network: (name, [n]), options)
    if options.only != "steps":
        for operation in options.operations:
            contestants = [(worker.name, worker) for worker in workers if operation in worker.greeting["operations"]]
            for shape in OPERATIONS[operation]:
                label = f"{operation} {shape}"
                result = measure(contestants, label, lambda _, o=operation, s=shape: (o, list(s)), options)
                report["operations"][label] = result
    for worker in workers:
        worker.close()
    print("\nagain, to see whether the machine was at rest:")
    report["peak_gflops_after"] = peaks(options.threads)
    if report["steps"]:
        names = [variant for worker in workers for variant in worker.greeting["steps"]]
        names = [name for name in names if name != "torch.compile" or options.compile]
        print(
            f"\nMicroseconds a step, {report['cpu']}, {options.threads} threads:\n\n{markdown(report['steps'], names)}"
        )
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

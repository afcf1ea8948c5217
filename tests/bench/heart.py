"""The pure heart without sockets or disk: allocation cycles, placement, memory, steps. Mesos's figures are from its commit
86653356d and the 1.8.0 release, on other machines: they are beside ours for the order of magnitude."""

import json
import os
import pathlib
import subprocess

CYCLES = ((1_000, 100, 21), (10_000, 1_000, 21), (20_000, 2_000, 21))
PLACEMENTS = ((1_000, 100_000), (5_000, 1_000_000))
STEPS = (1_000, 100_000)
MESOS_MS = {(10_000, 1_000): 1060}


def bench(*words):
    program = pathlib.Path(os.environ["METHOS_BUILD"]) / "tests" / "bench" / "heart_bench"
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=900, check=True)
    return json.loads(done.stdout)


def measure():
    return {"cycles": [bench("cycle", *sizes) for sizes in CYCLES],
            "placements": [bench("place", *sizes) for sizes in PLACEMENTS],
            "steps": bench("steps", *STEPS)}


def rows(found):
    for cycle in found["cycles"]:
        sizes = (cycle["hosts"], cycle["frameworks"])
        rival = f"{MESOS_MS[sizes]} ms" if sizes in MESOS_MS else ""
        wanted = "50 ms" if sizes == (10_000, 1_000) else ""
        yield (f"allocation cycle, {sizes[0]} hosts x {sizes[1]} frameworks, all offered, all declined (Mesos: another "
               f"machine); longest slice {cycle['longest_slice_ms']:.1f} ms", f"{cycle['median_ms']:.1f} ms", rival, "",
               wanted, cycle["median_ms"] <= 50 if wanted else None)
    for placed in found["placements"]:
        yield (f"placing {placed['placed']} instances on {placed['hosts']} hosts; longest step "
               f"{placed['longest_step_ms']:.1f} ms; {placed['mb_per_100k_tasks']:.0f} MB per 100,000 tasks",
               f"{placed['ms'] / 1000:.2f} s", "", "", "", None)
    if steps := found.get("steps"):
        yield (f"heart steps: status updates one by one with their records, at {steps['tasks']} tasks of one app; longest step "
               f"{steps['longest_step_ms']:.1f} ms", f"{steps['steps_per_s']:.0f}/s", "", "", "", None)

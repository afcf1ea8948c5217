"""Cleans up after a lab, however its owner ended: the process that the lab starts first and that outlives it.

It waits for the end of its standard input, which is a pipe that only the owner holds: the kernel closes it when the
owner exits, is killed or crashes. Then it ends what the lab's folder, cgroups and network namespaces show to be the
lab's, unmounts and removes. `sweep()` does the same for labs whose guardian was killed too (the machine went down).

What belongs to a lab is told by its unique name `mlab<hex>`, never by a program's name.
"""

import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

FOLDER_PREFIX = "methos-lab-"
CLEANUP_SECONDS_MAX = 60
CGROUP_ROOT = pathlib.Path("/sys/fs/cgroup")
NETNS_ROOT = pathlib.Path("/run/netns")


def run_quietly(*command):
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def cgroups_of(name):
    """The lab's cgroup folders in every hierarchy, version 1 or 2, deepest first."""
    found = []
    for pattern in (f"{name}-*", f"*/{name}-*"):
        for top in CGROUP_ROOT.glob(pattern):
            if top.is_dir():
                found += [pathlib.Path(folder) for folder, _, _ in os.walk(top, topdown=False)]
    return found


def namespaces_of(name):
    return sorted(NETNS_ROOT.glob(f"{name}-*")) if NETNS_ROOT.is_dir() else []


def processes_of(name, folder, spared):
    """Ids of the processes that are in the lab's cgroups or network namespaces, or name its folder on their command
    line (containers' shims do). `spared` are the owner's and our own."""
    found = set()
    for cgroup in cgroups_of(name):
        try:
            found |= {int(pid) for pid in (cgroup / "cgroup.procs").read_text().split()}
        except OSError:
            continue  # a process or cgroup that has just gone
    inodes = set()
    for namespace in namespaces_of(name):
        try:
            inodes.add(os.stat(namespace).st_ino)
        except OSError:
            continue
    marks = (f"{folder}/".encode(), f"{name}-".encode())
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            if os.stat(f"/proc/{entry}/ns/net").st_ino in inodes:
                found.add(int(entry))
                continue
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                command = file.read()
        except OSError:
            continue
        if any(mark in command for mark in marks):
            found.add(int(entry))
    return found - spared


def end_processes(name, folder, spared, deadline):
    """SIGTERM first, so that an Engine can take its containers down, then SIGKILL until none is left."""
    asked = False
    while time.monotonic() < deadline:
        alive = {pid for pid in processes_of(name, folder, spared) if not is_zombie(pid)}
        if not alive:
            return True
        for pid in alive:
            try:
                os.kill(pid, signal.SIGKILL if asked else signal.SIGTERM)
            except ProcessLookupError:
                continue
        if not asked:
            give_up = time.monotonic() + 1.5
            while time.monotonic() < give_up and processes_of(name, folder, spared):
                time.sleep(0.1)
            asked = True
        else:
            time.sleep(0.1)
    return False


def is_zombie(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def unmount_below(folder):
    for _ in range(3):
        with open("/proc/self/mountinfo", encoding="utf-8") as lines:
            points = [line.split()[4].encode().decode("unicode_escape") for line in lines]
        inside = [point for point in points if point.startswith(f"{folder}/")]
        if not inside:
            return
        for point in sorted(inside, key=len, reverse=True):
            run_quietly("umount", "-l", point)


def clean_up(folder, spared=frozenset()):
    """Removes everything of the lab in `folder`. Returns what could not be removed, as text; empty when all is gone."""
    folder = pathlib.Path(folder)
    try:
        name = json.loads((folder / "lab.json").read_text(encoding="utf-8"))["name"]
    except (OSError, ValueError, KeyError):
        name = None
    if not name or not re.fullmatch(r"mlab[0-9a-f]{6}", name):
        return f"{folder} has no readable lab.json; remove it by hand"
    deadline = time.monotonic() + CLEANUP_SECONDS_MAX
    spared = frozenset(spared) | {os.getpid()}
    gone = end_processes(name, folder, spared, deadline)
    unmount_below(str(folder))
    for namespace in namespaces_of(name):
        run_quietly("ip", "netns", "del", namespace.name)
    for cgroup in cgroups_of(name):
        try:
            cgroup.rmdir()
        except OSError:
            continue
    shutil.rmtree(folder, ignore_errors=True)
    if not gone:
        return f"lab {name}: processes are left: {sorted(processes_of(name, folder, spared))}"
    if folder.exists():
        return f"lab {name}: could not remove {folder}"
    return ""


def lock(folder):
    """The lock that says "this lab has a guardian"; None when another process holds it."""
    file = open(pathlib.Path(folder) / "lock", "w", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file
    except OSError:
        file.close()
        return None


def sweep():
    """Cleans up labs that nobody guards any more."""
    for folder in pathlib.Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        if (folder / "lab.json").exists():
            held = lock(folder)
            if held:
                clean_up(folder)
                held.close()


def guard(folder, owner):
    held = lock(folder)
    if not held:
        print("another guardian holds the lab", flush=True)
        return 1
    print("guarding", flush=True)
    for unwanted in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(unwanted, signal.SIG_IGN)
    sys.stdin.buffer.read()
    left = clean_up(folder, {owner})
    if left:
        print(left, file=sys.stderr, flush=True)
    held.close()
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(guard(sys.argv[1], int(sys.argv[2])))

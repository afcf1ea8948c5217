#!/usr/bin/env python3
"""Waits for what quickstart promises, asking the master as METHOS_URL and METHOS_TOKEN say; standard library only.

    demo/wait.py host        one question: is there a host that is UP? (exit code 0 or 1)
    demo/wait.py app /demo   until the wanted instances (or ENOUGH_INSTANCES of more) answer HTTP on their assigned ports
"""

import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

WAIT_SECONDS = 180
REQUEST_SECONDS = 5
POLL_SECONDS = 0.2
ENOUGH_INSTANCES = 3  # somebody may have scaled the demo beyond what one host carries


def ask(path):
    request = urllib.request.Request(os.environ["METHOS_URL"] + path,
                                     headers={"Authorization": "Bearer " + os.environ["METHOS_TOKEN"]})
    with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as answer:
        return json.load(answer)


def host_is_up():
    return any(host["state"] == "UP" for host in ask("/methos/v1/hosts")["hosts"])


def page_of(task):
    """The first line that an instance serves on its first assigned port; quickstart's one host is this machine."""
    address = f"http://127.0.0.1:{task['ports'][0]}/"
    with urllib.request.urlopen(address, timeout=REQUEST_SECONDS) as answer:
        return address, answer.read(4096).decode(errors="replace").strip().splitlines()[0]


def wait_for_app(app):
    deadline = time.monotonic() + WAIT_SECONDS
    problem = "nothing was asked yet"
    while time.monotonic() < deadline:
        try:
            path = "/v2/apps/" + urllib.parse.quote(app.lstrip("/"))
            wanted = min(ask(path)["app"]["instances"], ENOUGH_INSTANCES)
            tasks = [task for task in ask(path + "/tasks")["tasks"] if task.get("state", "TASK_RUNNING") == "TASK_RUNNING"]
            pages = [page_of(task) for task in tasks]
            if len(pages) >= wanted:
                for address, line in pages:
                    print(f"  {address}  {line}")
                return 0
            problem = f"{len(pages)} of {wanted} instances answer"
        except (OSError, ValueError, KeyError, IndexError) as error:
            problem = str(error)
        time.sleep(POLL_SECONDS)
    print(f"{app} did not answer within {WAIT_SECONDS} s: {problem}", file=sys.stderr)
    return 1


def main(arguments):
    if arguments == ["host"]:
        try:
            return 0 if host_is_up() else 1
        except (OSError, ValueError, KeyError):
            return 1
    if len(arguments) == 2 and arguments[0] == "app":
        return wait_for_app(arguments[1])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

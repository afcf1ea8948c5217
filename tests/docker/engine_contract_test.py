#!/usr/bin/env python3
"""The Engine contract (tests/component/docker) on a real dockerd of its own.

The lab gives a dockerd in a network namespace and removes it, whatever happens here. This puts a busybox image in, has
docker-registry hold another one to pull, and runs the same C++ cases that the fake Engine passes in suite component.

    engine_contract_test.py build/tests/component/docker/docker_contract_test
"""

import os
import pathlib
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from demo import image as demo_image
from tests.support.lab import HUB_IP, Lab, why_not

SKIPPED = 77  # Meson's code for it
CONTRACT_SECONDS = 300


def put_image(docker):
    """busybox as methos-test/busybox:1, with a shell as its command."""
    query = urllib.parse.urlencode({"fromSrc": "-", "repo": "methos-test/busybox", "tag": "1",
                                    "changes": 'CMD ["/bin/sh"]'})
    layer = demo_image.busybox_layer(demo_image.BUSYBOX)
    status, _, body = docker.raw("POST", f"/images/create?{query}", layer, {"Content-Type": "application/x-tar"})
    assert status == 200 and b"error" not in body, body


def main(program):
    why = why_not()
    if why:
        print(f"skipped: {why}")
        return 1 if os.environ.get("CI") == "true" else SKIPPED
    with Lab() as lab:
        host = lab.add_host()
        lab.start_registry()
        lab.push("contract/pull", filler_sizes=(300_000,))
        host.wait_dockerd()
        put_image(host.docker)
        ended = lab.run_to_end(program, "[contract]", seconds=CONTRACT_SECONDS, environment={
            "METHOS_TEST_DOCKER_SOCKET": str(host.socket),
            "METHOS_TEST_PULL_IMAGE": f"{HUB_IP}:5999/contract/pull"})
        print(ended.stdout, ended.stderr, sep="")
        if ended.returncode:
            print(host.dockerd.tail())
        left = [entry["Names"] for entry in host.docker.get("/containers/json?all=1")]
        assert ended.returncode or not left, f"the cases left containers behind: {left}"
        return 1 if ended.returncode else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

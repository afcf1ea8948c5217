"""The registry proxy against docker-registry in proxy mode: what a cold pull takes from the upstream, and how fast a
cached blob is served. Both in front of the same docker-registry, turn by turn; curl discards what it gets."""

import json
import re
import statistics
import subprocess

from demo.image import digest_of
from tests.support.lab import HUB_IP, PROXY_URL, START_SECONDS, UPSTREAM_NAME, UPSTREAM_URL, Process
from tests.support.rest import Rest, wait_until

RIVAL_URL = f"http://{HUB_IP}:5001"
BIG_BLOB_BYTES = 256 * 1024 * 1024
COLD_BLOBS_BYTES = [8 * 1024 * 1024] * 4
WARM_ROUNDS = 9


def start_rival(lab):
    config = {"version": 0.1, "log": {"accesslog": {"disabled": True}, "level": "warn"},
              "storage": {"filesystem": {"rootdirectory": str(lab.folder / "rival")}},
              "http": {"addr": f"{HUB_IP}:5001"}, "proxy": {"remoteurl": UPSTREAM_URL}}
    path = lab.folder / "rival.yml"
    path.write_text(json.dumps(config), encoding="utf-8")
    rival = Process(lab, "rival", ["docker-registry", "serve", path], lab.hub)
    lab.processes.append(rival)
    rival.start()
    wait_until("the rival answers", lambda: Rest(RIVAL_URL).raw("GET", "/v2/")[0] == 200, START_SECONDS)


def upstream_bytes(lab, name):
    """The bytes of all bodies that the upstream sent for this image, by its access log."""
    log = lab.registry.log.read_text(encoding="utf-8", errors="replace")
    return sum(int(size) for size in re.findall(rf'"GET /v2/{re.escape(name)}/\S+ HTTP/1\.1" 200 (\d+)', log))


def pull(base, path, image):
    """What one cold client fetches: the manifest, then each blob once."""
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    client = Rest(base, accept, timeout=120)
    assert client.raw("GET", f"/v2/{path}/manifests/1")[2] == image.manifest
    for blob in image.blobs:
        got = client.raw("GET", f"/v2/{path}/blobs/{digest_of(blob)}")[2]
        assert got == blob, "the proxy served other bytes than the upstream has"


def digest_of(blob):
    import hashlib

    return "sha256:" + hashlib.sha256(blob).hexdigest()


def bytes_per_second(url):
    done = subprocess.run(["curl", "-sS", "-f", "-o", "/dev/null", "-w", "%{speed_download}", url], check=True,
                          capture_output=True, text=True)
    return float(done.stdout)


def measure(lab):
    start_rival(lab)
    cold = {}
    # Each subject gets an image of its own, so that neither finds the other's blobs in the upstream's log.
    for subject, base, prefix, name in (("methos", PROXY_URL, f"{UPSTREAM_NAME}/", "cold/methos"),
                                        ("docker-registry", RIVAL_URL, "", "cold/rival")):
        image = lab.push(name, filler_sizes=COLD_BLOBS_BYTES, label=name)
        before = upstream_bytes(lab, name)
        pull(base, prefix + name, image)
        cold[subject] = (upstream_bytes(lab, name) - before) / image.size
    big = lab.push("big/image", filler_sizes=[BIG_BLOB_BYTES], label="big")
    blob = digest_of(big.layers[-1])
    urls = {"methos": f"{PROXY_URL}/v2/{UPSTREAM_NAME}/big/image/blobs/{blob}",
            "docker-registry": f"{RIVAL_URL}/v2/big/image/blobs/{blob}"}
    for url in urls.values():
        bytes_per_second(url)  # fills the cache
    speeds = {subject: [] for subject in urls}
    for _ in range(WARM_ROUNDS):
        for subject, url in urls.items():
            speeds[subject].append(bytes_per_second(url))
    medians = {subject: statistics.median(values) / 1048576 for subject, values in speeds.items()}
    return {
        "cold_upstream_bytes_per_image_byte": cold,
        "warm_blob_mib_per_s": medians,
        "warm_ratio": medians["methos"] / medians["docker-registry"],
        "warm_blob_mib": BIG_BLOB_BYTES // 1048576,
        "rounds": WARM_ROUNDS,
    }

"""The proxy against registry clients nobody here wrote: skopeo and dockerd pull and push through it, with Debian's
docker-registry as upstream. Proves that digests survive, that one cold pull costs its bytes once (by the proxy's own
counter and by the upstream's access log), that a pushed image comes back equal, and that dockerd takes the proxy for a
mirror of docker.io. Images are made here, of random layers; nothing is fetched from outside.

Usage: registry_clients_test.py PROXY_BINARY
"""

import gzip
import hashlib
import http.client
import io
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest
import urllib.error
import urllib.request

SKIPPED = 77
START_SECONDS = 60
LAYER_BYTES = 3 * 1024 * 1024
PROXY_BINARY = None


def why_not():
    for program in ("skopeo", "docker-registry"):
        if not shutil.which(program):
            return f"{program} is missing; apt-get install {program}"
    return ""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(what, check):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if check():
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come up in {START_SECONDS} s")


def fetch(url, method="GET", headers=None):
    """Status, headers and body; an HTTP error is an answer too."""
    request = urllib.request.Request(url, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def make_image(folder, layers):
    """An OCI layout with one image of random layers, tagged 1; returns its manifest's digest and the sum of bytes."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def put(data):
        (blobs / digest(data)[7:]).write_bytes(data)
        return {"digest": digest(data), "size": len(data)}

    descriptors, diff_ids = [], []
    for number in range(layers):
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w") as archive:
            info = tarfile.TarInfo(f"file{number}")
            info.size = LAYER_BYTES
            archive.addfile(info, io.BytesIO(os.urandom(LAYER_BYTES)))
        diff_ids.append(digest(raw.getvalue()))
        packed = gzip.compress(raw.getvalue(), compresslevel=1, mtime=0)
        descriptors.append({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", **put(packed)})
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/file0"]},
                         "rootfs": {"type": "layers", "diff_ids": diff_ids}}).encode()
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **put(config)},
        "layers": descriptors}).encode()
    entry = {"mediaType": "application/vnd.oci.image.manifest.v1+json", **put(manifest),
             "annotations": {"org.opencontainers.image.ref.name": "1"}}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    blob_bytes = sum(part["size"] for part in descriptors) + len(config)
    return entry["digest"], blob_bytes + len(manifest), [part["digest"] for part in descriptors]


class Program:
    """A child process with its log, ended by its own id."""

    def __init__(self, words, log):
        self.log = log
        with open(log, "wb") as output:
            self.child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                          preexec_fn=die_with_parent)

    def stop(self, how=signal.SIGTERM):
        if self.child.poll() is None:
            self.child.send_signal(how)
        try:
            return self.child.wait(30)
        except subprocess.TimeoutExpired:
            self.child.kill()
            return self.child.wait()


def die_with_parent():
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def skopeo(*words):
    done = subprocess.run(["skopeo", "--insecure-policy", *words], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False, timeout=120)
    if done.returncode:
        raise AssertionError(f"skopeo {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class ProxyCase(unittest.TestCase):
    """An upstream and a proxy before it, in a folder of their own."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="methos-clients-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.upstream_port = free_port()
        self.upstream = self.start_upstream()
        self.proxy_port = free_port()
        self.proxy = self.start_proxy()

    def start_upstream(self):
        config = self.folder / "registry.yml"
        config.write_text(f"version: 0.1\nlog: {{accesslog: {{disabled: false}}}}\n"
                          f"storage: {{filesystem: {{rootdirectory: {self.folder}/upstream}}}}\n"
                          f"http: {{addr: '127.0.0.1:{self.upstream_port}'}}\n")
        upstream = Program(["docker-registry", "serve", str(config)], self.folder / "upstream.log")
        self.addCleanup(upstream.stop)
        wait_until("docker-registry", lambda: fetch(f"http://127.0.0.1:{self.upstream_port}/v2/")[0] == 200)
        return upstream

    def start_proxy(self):
        url = f"http://127.0.0.1:{self.upstream_port}"
        proxy = Program([PROXY_BINARY, "--http", f"127.0.0.1:{self.proxy_port}", "--cache-dir", f"{self.folder}/cache",
                         "--upstream", f"docker.io={url}", "--upstream", f"lab.example={url}"],
                        self.folder / "proxy.log")
        self.addCleanup(proxy.stop)
        wait_until("the proxy", lambda: fetch(self.at("/v2/"))[0] == 200)
        return proxy

    def at(self, path):
        return f"http://127.0.0.1:{self.proxy_port}{path}"

    def fill_upstream(self, name, layers=3):
        made = make_image(self.folder / f"oci-{name.replace('/', '-')}", layers)
        skopeo("copy", "--dest-tls-verify=false", f"oci:{self.folder}/oci-{name.replace('/', '-')}:1",
               f"docker://127.0.0.1:{self.upstream_port}/{name}:1")
        return made

    def copy_out(self, reference, folder):
        skopeo("copy", "--src-tls-verify=false", f"docker://127.0.0.1:{self.proxy_port}/{reference}",
               f"dir:{self.folder}/{folder}")
        return self.folder / folder

    def counter(self, name):
        text = fetch(self.at("/metrics/prometheus"))[2].decode()
        return float(re.search(rf"^{name}(?:{{[^}}]*}})? ([0-9.e+]+)$", text, re.M).group(1))

    def upstream_gets(self, blob):
        return len(re.findall(rf'"GET [^"]*/blobs/{blob} ', (self.folder / "upstream.log").read_text()))


class RegistryClients(ProxyCase):
    def test_a_cold_pull_costs_its_bytes_once_and_a_warm_one_nothing(self):
        wanted, total, layers = self.fill_upstream("team/app")
        pulled = self.copy_out("lab.example/team/app:1", "pulled")
        self.assertEqual(digest((pulled / "manifest.json").read_bytes()), wanted)
        for layer in layers:
            self.assertEqual(digest((pulled / layer[7:]).read_bytes()), layer)
            self.assertEqual(self.upstream_gets(layer), 1)
        self.assertEqual(self.counter("methos_proxy_upstream_bytes_total"), total)
        self.copy_out(f"lab.example/team/app@{wanted}", "again")
        self.assertEqual(self.counter("methos_proxy_upstream_bytes_total"), total)
        self.assertIn("lab.example/team/app", skopeo(
            "inspect", "--tls-verify=false", f"docker://127.0.0.1:{self.proxy_port}/lab.example/team/app:1"))

    def test_the_cache_serves_when_the_upstream_is_gone_also_after_a_kill(self):
        wanted, _, _ = self.fill_upstream("library/x")
        self.copy_out("x:1", "pulled")
        self.upstream.stop()
        self.proxy.stop(signal.SIGKILL)
        self.proxy = self.start_proxy()
        pulled = self.copy_out("docker.io/x:1", "again")
        self.assertEqual(digest((pulled / "manifest.json").read_bytes()), wanted)
        status, headers, _ = fetch(self.at("/v2/library/x/manifests/1?ns=docker.io"))
        self.assertEqual(status, 200)
        self.assertIn("299", headers["Warning"])
        self.assertEqual(headers["OCI-Namespace"], "docker.io")
        self.assertIn(fetch(self.at("/v2/library/x/manifests/unknown"))[0], (502, 504))

    def test_a_pushed_image_comes_back_equal(self):
        wanted, _, _ = make_image(self.folder / "oci", 2)
        skopeo("copy", "--dest-tls-verify=false", f"oci:{self.folder}/oci:1",
               f"docker://127.0.0.1:{self.proxy_port}/registry.internal/team/app:1")
        pulled = self.copy_out("registry.internal/team/app:1", "pulled")
        self.assertEqual(digest((pulled / "manifest.json").read_bytes()), wanted)
        self.proxy.stop()
        self.start_proxy()
        self.assertEqual(json.loads(fetch(self.at("/v2/_catalog"))[2]), {"repositories": ["registry.internal/team/app"]})
        self.copy_out(f"registry.internal/team/app@{wanted}", "again")
        self.assertEqual(fetch(self.at("/v2/team/app/manifests/1"))[0], 404)

    def test_the_proxy_ends_in_order(self):
        self.assertEqual(self.proxy.stop(), 0)


class DockerDaemon(ProxyCase):
    """A private dockerd with the proxy as its registry mirror."""

    def setUp(self):
        if os.geteuid() != 0 or not shutil.which("dockerd"):
            self.skipTest("needs root and dockerd (apt-get install docker.io)")
        super().setUp()
        home = self.folder / "docker"
        home.mkdir()
        (home / "daemon.json").write_text(json.dumps({"registry-mirrors": [f"http://127.0.0.1:{self.proxy_port}"]}))
        self.socket = home / "docker.sock"
        self.dockerd = Program(
            ["dockerd", "--config-file", str(home / "daemon.json"), "--data-root", str(home / "root"), "--exec-root",
             str(home / "exec"), "--pidfile", str(home / "docker.pid"), "-H", f"unix://{self.socket}",
             "--iptables=false", "--bridge=none", "--storage-driver=vfs"], self.folder / "dockerd.log")
        self.addCleanup(self.stop_dockerd)
        wait_until("dockerd", lambda: self.engine("GET", "/_ping")[0] == 200)

    def stop_dockerd(self):
        self.dockerd.stop()
        for mount in ("exec/netns/default", "root"):
            subprocess.run(["umount", str(self.folder / "docker" / mount)], capture_output=True, check=False)

    def engine(self, method, path, headers=None):
        connection = http.client.HTTPConnection("localhost", timeout=120)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(120)
        try:
            connection.sock.connect(str(self.socket))
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def pull(self, image, tag):
        status, body = self.engine("POST", f"/images/create?fromImage={image}&tag={tag}")
        self.assertEqual(status, 200, body)
        self.assertNotIn(b"errorDetail", body)
        return body.decode()

    def test_dockerd_pulls_docker_io_through_its_mirror(self):
        wanted, _, _ = self.fill_upstream("library/x")
        self.assertIn(wanted, self.pull("x", "1"))
        self.assertEqual(self.engine("GET", "/images/x:1/json")[0], 200)

    def test_dockerd_pulls_by_explicit_reference(self):
        wanted, _, _ = self.fill_upstream("library/x")
        reference = f"127.0.0.1:{self.proxy_port}/docker.io/library/x"
        self.assertIn(wanted, self.pull(reference, "1"))

    def test_dockerd_pushes_and_pulls_a_hosted_image(self):
        self.fill_upstream("library/x")
        self.pull("x", "1")
        hosted = f"127.0.0.1:{self.proxy_port}/registry.internal/team/x"
        self.assertEqual(self.engine("POST", f"/images/x:1/tag?repo={hosted}&tag=2")[0], 201)
        status, body = self.engine("POST", f"/images/{hosted}/push?tag=2", {"X-Registry-Auth": "e30="})
        self.assertEqual(status, 200, body)
        self.assertNotIn(b"errorDetail", body)
        self.engine("DELETE", f"/images/{hosted}:2")
        self.pull(hosted, "2")


def main():
    global PROXY_BINARY
    PROXY_BINARY = sys.argv.pop(1)
    reason = why_not()
    if reason:
        print(f"skipped: {reason}")
        return 1 if os.environ.get("CI") == "true" else SKIPPED
    program = unittest.main(exit=False, verbosity=2)
    if program.result.skipped and os.environ.get("CI") == "true":
        return 1
    return 0 if program.result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())

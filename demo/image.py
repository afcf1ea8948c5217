#!/usr/bin/env python3
"""Builds the demo image from Debian's busybox-static and pushes it to a registry; Python's standard library only.

The image is one layer: /bin/busybox, its applets as symbolic links, and the few files that a shell expects. The same
busybox gives the same digests on every machine. The lab (tests/support/lab.py) and the bench push their images with
the same code, with further layers of a wanted size. No Docker build, no daemon, no outside registry.

    demo/image.py push http://127.0.0.1:5000 registry.internal/methos/demo 1
"""

import dataclasses
import gzip
import hashlib
import http.client
import io
import json
import os
import random
import subprocess
import sys
import tarfile
import urllib.parse

BUSYBOX = "/bin/busybox"
REQUEST_SECONDS_MAX = 60
MEBIBYTE = 1024 * 1024
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
CREATED = "2026-01-01T00:00:00Z"  # fixed: an image's digest says what is in it, not when it was made


class ImageError(Exception):
    """Says what failed and what to do; printed as one line."""


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def json_bytes(document):
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


@dataclasses.dataclass
class Image:
    """One image, ready to push: the manifest's bytes, the config's and each layer's."""

    manifest: bytes
    config: bytes
    layers: list

    @property
    def digest(self):
        return digest_of(self.manifest)

    @property
    def blobs(self):
        return [self.config, *self.layers]

    @property
    def size(self):
        return len(self.manifest) + sum(len(blob) for blob in self.blobs)


class LayerTar:
    """A layer as a tar whose bytes depend on names and contents only."""

    def __init__(self):
        self.buffer = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buffer, mode="w", format=tarfile.USTAR_FORMAT)

    def add(self, name, mode, kind=tarfile.REGTYPE, content=b"", target=""):
        entry = tarfile.TarInfo(name)
        entry.mode, entry.type, entry.linkname, entry.size = mode, kind, target, len(content)
        self.tar.addfile(entry, io.BytesIO(content))

    def finish(self):
        self.tar.close()
        return self.buffer.getvalue()


def busybox_layer(busybox):
    try:
        with open(busybox, "rb") as file:
            binary = file.read()
        applets = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True).stdout.split()
    except (OSError, subprocess.CalledProcessError) as error:
        raise ImageError(f"cannot use {busybox} ({error}); apt-get install busybox-static") from error
    if b"ld-linux" in binary[:4096]:
        raise ImageError(f"{busybox} is dynamically linked; apt-get install busybox-static")
    layer = LayerTar()
    for folder, mode in (("bin", 0o755), ("etc", 0o755), ("root", 0o700), ("tmp", 0o1777), ("www", 0o755)):
        layer.add(folder, mode, tarfile.DIRTYPE)
    layer.add("bin/busybox", 0o755, content=binary)
    for applet in sorted(set(applets) - {"busybox"}):
        layer.add(f"bin/{applet}", 0o777, tarfile.SYMTYPE, target="busybox")
    layer.add("etc/group", 0o644, content=b"root:x:0:\nnogroup:x:65534:\n")
    layer.add("etc/passwd", 0o644, content=b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
    layer.add("www/index.html", 0o644, content=b"hello from the demo image of Methos\n")
    return layer.finish()


def filler_layer(number, size):
    """Random bytes from a fixed seed: no compression hides how many were moved."""
    source = random.Random(number * 1_000_003 + size)
    content = b"".join(source.randbytes(min(MEBIBYTE, size - at)) for at in range(0, size, MEBIBYTE))
    layer = LayerTar()
    layer.add(f"filler-{number}", 0o644, content=content)
    return layer.finish()


def build(busybox=BUSYBOX, filler_sizes=(), label=""):
    """The demo image, with one more layer of random bytes per entry of filler_sizes; another label, another digest."""
    tars = [busybox_layer(busybox), *(filler_layer(at, size) for at, size in enumerate(filler_sizes))]
    layers = [gzip.compress(tar, compresslevel=6 if at == 0 else 0, mtime=0) for at, tar in enumerate(tars)]
    machine = os.uname().machine
    config = {
        "architecture": {"aarch64": "arm64", "x86_64": "amd64"}.get(machine, machine),
        "os": "linux",
        "created": CREATED,
        "config": {
            "Env": ["PATH=/bin"],
            "Cmd": ["httpd", "-f", "-v", "-p", "8080", "-h", "/www"],
            "ExposedPorts": {"8080/tcp": {}},
            "WorkingDir": "/",
            "Labels": {"io.methos.demo": label or "1"},
        },
        "rootfs": {"type": "layers", "diff_ids": [digest_of(tar) for tar in tars]},
        "history": [{"created": CREATED, "created_by": "demo/image.py"} for _ in tars],
    }
    config_bytes = json_bytes(config)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "digest": digest_of(config_bytes), "size": len(config_bytes)},
        "layers": [{"mediaType": LAYER_TYPE, "digest": digest_of(blob), "size": len(blob)} for blob in layers],
    }
    return Image(json_bytes(manifest), config_bytes, layers)


class Registry:
    """The push half of a registry's HTTP API."""

    def __init__(self, url, headers=None):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ImageError(f"'{url}' is not the address of a registry; write http://HOST:PORT")
        self.url = url
        self.headers = headers or {}
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.connection = kind(parts.hostname, parts.port, timeout=REQUEST_SECONDS_MAX)

    def request(self, method, path, body=None, headers=None, expect=()):
        try:
            self.connection.request(method, path, body=body, headers={**self.headers, **(headers or {})})
            answer = self.connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            raise ImageError(f"{method} {self.url}{path}: {error or type(error).__name__}") from error
        if answer.status not in expect:
            raise ImageError(f"{method} {self.url}{path} answered {answer.status}: {text[:300].decode(errors='replace')}")
        return answer

    def push_blob(self, name, blob):
        digest = digest_of(blob)
        if self.request("HEAD", f"/v2/{name}/blobs/{digest}", expect=(200, 404)).status == 200:
            return
        opened = self.request("POST", f"/v2/{name}/blobs/uploads/", headers={"Content-Length": "0"}, expect=(202,))
        target = urllib.parse.urlsplit(opened.getheader("Location", ""))
        if not target.path:
            raise ImageError(f"{self.url} opened an upload for {name} without saying where (no Location)")
        query = (target.query + "&" if target.query else "") + "digest=" + urllib.parse.quote(digest, safe="")
        self.request("PUT", f"{target.path}?{query}", body=blob, expect=(201,),
                     headers={"Content-Type": "application/octet-stream"})

    def push(self, name, tag, image):
        """Blobs first, then the manifest, as the distribution specification wants it. Returns the digest."""
        for blob in image.blobs:
            self.push_blob(name, blob)
        self.request("PUT", f"/v2/{name}/manifests/{tag}", body=image.manifest, expect=(201,),
                     headers={"Content-Type": MANIFEST_TYPE})
        self.connection.close()
        return image.digest


def main(arguments):
    if len(arguments) != 4 or arguments[0] != "push":
        print("usage: demo/image.py push http://HOST:PORT NAME TAG", file=sys.stderr)
        return 2
    _, url, name, tag = arguments
    try:
        image = build()
        print(f"{url.split('//')[-1].rstrip('/')}/{name}:{tag} {Registry(url).push(name, tag, image)} {image.size} bytes")
    except ImageError as error:
        print(f"demo image: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

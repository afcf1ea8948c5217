#!/usr/bin/env python3
"""Images on a real dockerd: what tasks brought through the proxy, by tag and by digest, goes when nobody uses it any more,
with all names that Docker keeps of it; what is pinned, in use or somebody else's stays; and what went can be had again."""

import pathlib
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from demo import image as demo_image
from tests.support import cluster_case
from tests.support.cluster_case import SETTLE_SECONDS, ClusterCase
from tests.support.lab import UPSTREAM_NAME
from tests.support.rest import wait_until

FOREIGN = "somebody/tool:1"


class ImageCollectionTest(ClusterCase):
    @classmethod
    def start_all(cls):
        lab = cls.lab
        cls.host = lab.add_host()
        lab.start_registry()
        lab.push("lib/demo")  # each has a layer of its own, or they would be one image
        cls.digested = lab.push("lib/digested", filler_sizes=(1000,))
        lab.push("lib/pinned", filler_sizes=(2000,))
        lab.push("lib/used", filler_sizes=(3000,))
        lab.start_proxy()
        lab.start_master()
        cls.host.wait_dockerd()
        cls.import_foreign_image()
        cls.host.start_executor("--image-delay", "1s", "--image-pin", f"{UPSTREAM_NAME}/lib/pinned:*")
        cls.wait_hosts_up()

    @classmethod
    def import_foreign_image(cls):
        repository, tag = FOREIGN.split(":")
        query = urllib.parse.urlencode({"fromSrc": "-", "repo": repository, "tag": tag})
        layer = demo_image.busybox_layer(demo_image.BUSYBOX)
        status, _, body = cls.host.docker.raw("POST", f"/images/create?{query}", layer, {"Content-Type": "application/x-tar"})
        assert status == 200 and b"error" not in body, body

    def deploy_image(self, name, image):
        app = self.definition(name, 1)
        app["container"]["docker"]["image"] = f"{UPSTREAM_NAME}/{image}"
        self.lab.api.post("/v2/apps", app)
        self.wait_running(app["id"], 1)
        return app["id"]

    def remove_app(self, app):
        self.lab.api.delete(f"/v2/apps{app}")
        wait_until("its container is gone", lambda: not self.containers(app, every=True), SETTLE_SECONDS)

    def names(self):
        """Every name that dockerd has for any image, without the digests' own digits."""
        images = self.host.docker.get("/images/json?all=0")
        return {name.split("@")[0] for image in images for field in ("RepoTags", "RepoDigests") for name in image[field] or []
                if not name.startswith("<none>")}

    def test_what_we_brought_goes_and_the_rest_stays(self):
        demo = self.deploy_image("demo", "lib/demo:1")
        digested = self.deploy_image("digested", f"lib/digested@{self.digested.digest}")
        pinned = self.deploy_image("pinned", "lib/pinned:1")
        self.deploy_image("used", "lib/used:1")
        for app in (demo, digested, pinned):
            self.remove_app(app)
        before = self.host.docker.get("/images/json?all=0")
        self.assertEqual(5, len(before), before)

        self.host.executor.stop()  # the next one knows what this one brought, and looks at once
        self.host.start_executor()
        wait_until("unused images are gone", lambda: len(self.host.docker.get("/images/json?all=0")) == 3, SETTLE_SECONDS)
        names = self.names()
        self.assertLessEqual({FOREIGN, f"{UPSTREAM_NAME}/lib/pinned:1", f"{UPSTREAM_NAME}/lib/used:1"}, names)
        self.assertFalse([name for name in names if "lib/demo" in name or "digested" in name], names)
        self.assertEqual(1, len(self.containers("/used")))

        self.deploy_image("again", "lib/demo:1")


if __name__ == "__main__":
    cluster_case.main()

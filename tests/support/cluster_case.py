"""What every cluster test file shares: the skip, the run with its logs on failure, and the exit code Meson reads."""

import sys
import unittest

from tests.support import lab

SKIPPED = 77  # Meson's exit code for "skipped"


class ClusterCase(unittest.TestCase):
    """A test with one lab in `self.lab`; a failure prints the ends of all logs before the lab goes away."""

    def setUp(self):
        self.lab = lab.Lab()
        self.addCleanup(self.lab.close)

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result is not None else 0
        self.result_so_far = (result, before)
        return super().run(result)

    def tearDown(self):
        error = sys.exc_info()[1]
        if error is not None or self.has_failed():
            print(self.lab.tails(), file=sys.stderr, flush=True)

    def has_failed(self):
        outcome = getattr(self, "_outcome", None)
        return outcome is not None and not outcome.success


def main():
    """Runs the calling file's tests, or says why they cannot run here and exits with Meson's code for it."""
    reason = lab.why_not()
    if reason:
        print(f"skipped: {reason}", flush=True)
        sys.exit(SKIPPED)
    unittest.main(module="__main__", verbosity=2)

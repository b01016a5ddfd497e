"""What the programs share: the server they talk to, and one line per test."""

import json
import os
import sys
import traceback

URL = os.environ["PARLANCE_URL"]
API = f"{URL}/api/"
with open(os.environ["PARLANCE_SEED"], encoding="utf-8") as file:
    SEED = json.load(file)
GENERAL = SEED["channels"]["general"]
FAILED = []


def report(name, error=None):
    """Prints `ok NAME` or `not ok NAME: why`."""
    if error is None:
        print(f"ok {name}", flush=True)
        return
    FAILED.append(name)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = next((f"{f.name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__) if "sdk/python" in f.filename), frame.name)
    print(f"not ok {name}: {type(error).__name__} in {where}: {error}".replace("\n", " | "), flush=True)


def finish():
    """Ends the program; its exit code says whether every test held."""
    sys.stdout.flush()
    os._exit(1 if FAILED else 0)


class Names:
    """Names that no other test uses."""

    def __init__(self, word):
        self.word = word
        self.count = 0

    def next(self):
        self.count += 1
        return f"{self.word}-{os.getpid()}-{self.count}"

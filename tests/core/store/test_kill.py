"""kill -9 at any moment: every acknowledged edit is there afterwards, and the workspace opens.

OVERREAD_KILLS sets how many (25 by default, to be quick; 200 before a release).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from core.store.workspace import Workspace

ROOT = Path(__file__).parents[3]
KILLS = int(os.environ.get("OVERREAD_KILLS", "25"))
PER_FILE = 8

# Draws, moves, deletes, undoes and redoes without end. A line goes out only after the call has returned.
CHILD = """
import os, random, sys
from pathlib import Path
from core.edits import create, delete, reshape
from core.model import Annotation, Box
from core.store.workspace import Workspace

dice = random.Random(int(sys.argv[2]))
os.write(1, b"ready\\n")
os.read(0, 1)
with Workspace.open(Path(sys.argv[1]), reader="child") as workspace:
    while True:
        there = list(workspace.annotations.annotations())
        what = dice.random()
        if what < 0.5 or not there:
            key, name = f"dicom:{dice.randrange(40)}#0", f"{os.getpid()}-{dice.random()}"
            entry = workspace.commit(create(Annotation(name, key, Box(1, 2, 30, 40), 1)))
        elif what < 0.75:
            one = dice.choice(there)
            entry = workspace.commit(reshape(one, one.box.moved(dice.random(), 0.5), "child"))
        elif what < 0.85:
            entry = workspace.commit(delete(dice.sample(there, min(3, len(there)))))
        else:
            entry = (workspace.undo() if what < 0.95 else workspace.redo()) or workspace.history(limit=1)[0]
        os.write(1, f"{entry.seq} {entry.hash}\\n".encode())
"""


def test_no_acknowledged_edit_is_lost(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)  # noqa: T201 - shown where the test fails
    dice = random.Random(seed)
    acknowledged: dict[int, str] = {}
    busy = 0
    following = child(path_of(tmp_path, 0), seed)
    for kill in range(KILLS):
        # The next child starts up while this one is at work and its remains are looked at.
        current, following = following, child(path_of(tmp_path, kill + 1), seed + kill + 1)
        # Every third while it opens (and sometimes makes) the workspace, the others while it edits.
        lines = run_and_kill(current, edits_first=kill % 3 > 0, after=dice.uniform(0, 0.08))
        busy += bool(lines)
        if kill % PER_FILE == 0:
            acknowledged = {}
        acknowledged.update((int(seq), digest) for seq, digest in (line.split() for line in lines))
        with Workspace.open(path_of(tmp_path, kill), reader="parent") as workspace:
            report = workspace.verify()
            there = {e.seq: e.hash for e in workspace.history(limit=1_000_000)}
        assert report.ok, report.problems
        missing = {seq for seq, digest in acknowledged.items() if there.get(seq) != digest}
        assert not missing, f"kill {kill}: acknowledged edits {sorted(missing)} are gone"
        assert len(there) <= len(acknowledged) + 1, "a kill leaves at most one edit not acknowledged"
        acknowledged = there  # what was on disk without being acknowledged must stay from now on
    run_and_kill(following, edits_first=False, after=0)
    assert busy >= KILLS * 2 // 3, "most kills hit while edits are being written"


def path_of(folder: Path, kill: int) -> Path:
    """A new workspace now and then, so that some kills hit while it is being made."""
    return folder / f"w{kill // PER_FILE}.overread"


def child(path: Path, seed: int) -> subprocess.Popen[bytes]:
    """A process that has everything imported and waits."""
    command = [sys.executable, "-c", CHILD, str(path), str(seed)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)


def run_and_kill(process: subprocess.Popen[bytes], *, edits_first: bool, after: float) -> list[str]:
    """Let a child open its workspace and edit, and kill it; returns what it acknowledged.

    The clock (`after`, in seconds) starts with the first acknowledged edit, or before opening.
    """
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.stdin.write(b"!")
        process.stdin.flush()
        first = process.stdout.readline() if edits_first else b""
        time.sleep(after)
        process.kill()
        out = (first + process.stdout.read()).decode()
    assert process.returncode == -signal.SIGKILL, "it was at work until it was killed"
    return out.split("\n")[:-1]  # a line cut off by the kill was not acknowledged

"""The account that PostgreSQL runs under: it refuses to run as root."""

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quipu_server.errors import StartupError

ACCOUNT = "quipu"


@dataclass(frozen=True, slots=True)
class Account:
    """A user and its group; `switch` is set when the process must change to it."""

    uid: int
    gid: int
    switch: bool

    @property
    def process_options(self) -> dict[str, Any]:
        """Arguments of `subprocess.Popen` that run a program under this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}

    def make_directory(self, path: Path) -> None:
        """Make a directory that only this account can read."""
        path.mkdir(mode=0o700)
        if self.switch:
            os.chown(path, self.uid, self.gid)

    def open_way(self, path: Path) -> None:
        """Let the account pass through the directories above `path`: it gets leave to search them, not to list them."""
        if not self.switch:
            return
        for parent in path.resolve().parents:
            mode = parent.stat().st_mode
            if not mode & stat.S_IXOTH:
                parent.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def account_for(cluster: Path) -> Account:
    """The account of this process; for root, the owner of the cluster, or a system account made for it."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switch=False)
    if cluster.exists():
        owner = cluster.stat()
        return Account(owner.st_uid, owner.st_gid, switch=True)
    entry = _system_account()
    return Account(entry.pw_uid, entry.pw_gid, switch=True)


def _system_account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        pass
    if (program := shutil.which("useradd")) is None:
        raise StartupError(
            f"PostgreSQL does not run as root; make a user {ACCOUNT!r}, or start the server as another user than root"
        )
    options = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
    made = subprocess.run([program, *options, ACCOUNT], check=False, capture_output=True, text=True)
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        raise StartupError(f"cannot make the user {ACCOUNT!r}: {made.stderr.strip()}") from None

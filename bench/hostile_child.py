"""A process that reads damaged files until it has read all, or dies of one.

    python -m bench.hostile_child MODULE KIND FIRST COUNT WHOLE_FOLDER

Started by `bench.hostile_files`; MODULE holds `KINDS`. It writes a line of JSON before and after every file, so that
whoever waits knows of which file it died.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, Final

__all__ = ["ADDRESS_SPACE"]

ADDRESS_SPACE: Final = 2 << 30  # bytes
_LAUNCHES: Final = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "subprocess.Popen",
    "pty.spawn",
    "socket.connect",
)


def main() -> int:
    module, kind_name, first, count, whole = *sys.argv[1:3], int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5])
    import resource

    from index.search import faiss_file
    from pose.errors import StanceError

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    logging.disable()
    launched: list[str] = []

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        ours = event == "subprocess.Popen" and faiss_file.TRIAL in arguments[1]
        if event in _LAUNCHES and not ours:
            launched.append(event)

    sys.addaudithook(watch)
    kind = importlib.import_module(module).KINDS[kind_name]
    for number in range(first, first + count):
        with tempfile.TemporaryDirectory() as folder:
            damaged, never = Path(folder, "damaged"), Path(folder, "never")
            damaged.mkdir()
            kind.damage(whole, damaged, number, never)
            _say(number=number, begun=True)
            launched.clear()
            begun, outcome, text = time.monotonic(), "read", ""
            try:
                kind.read(damaged, number)
            except StanceError as error:
                outcome, text = "refused", str(error).replace(folder, "")
            except BaseException:
                outcome, text = "traceback", traceback.format_exc().replace(folder, "")
            if never.exists() or launched:
                outcome, text = "code run", f"{launched} {never.exists()}"
            _say(number=number, outcome=outcome, text=text, seconds=round(time.monotonic() - begun, 3))
    return 0


def _say(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


if __name__ == "__main__":
    sys.exit(main())

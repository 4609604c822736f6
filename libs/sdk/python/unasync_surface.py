"""Makes the surface of threads from that of asyncio.

    python unasync_surface.py FROM TO

Names of classes lose their `Async`, `await` and `async` are dropped, and `_on_threads` takes the place of
`_on_asyncio`.
"""

import sys
from pathlib import Path

import unasync

NAMES = (
    "ApiKeys",
    "Blobs",
    "CommandHandle",
    "Commands",
    "Connection",
    "Drydock",
    "Executions",
    "Files",
    "Job",
    "Messages",
    "Organizations",
    "Paged",
    "Pty",
    "Sandbox",
    "Sandboxes",
    "Stdin",
    "Templates",
    "Terminal",
    "TestSets",
    "Webhooks",
)
REPLACEMENTS = {
    **{f"Async{name}": name for name in NAMES},
    "aclose": "close",
    "_async": "_sync",
    "_on_asyncio": "_on_threads",
}


def main() -> None:
    source, target = (str(Path(argument).resolve()) for argument in sys.argv[1:3])
    rule = unasync.Rule(f"{source}/", f"{target}/", additional_replacements=REPLACEMENTS)
    unasync.unasync_files([str(path) for path in Path(source).glob("*.py")], [rule])


if __name__ == "__main__":
    main()

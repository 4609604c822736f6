"""Talks to a shell on a terminal. With a terminal of your own, pass on what is typed there instead."""

import sys
import threading

from drydock import Sandbox

shown = bytearray()
heard = threading.Condition()


def on_data(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    with heard:
        shown.extend(data)
        heard.notify()


with Sandbox.create("python", lifetime=600) as sandbox:
    terminal = sandbox.pty.create(rows=24, columns=80, on_data=on_data)
    terminal.write("stty size\n")
    with heard:
        heard.wait_for(lambda: b"24 80" in shown, timeout=30)
    terminal.resize(rows=50, columns=120)
    terminal.write("stty size; exit\n")
    result = terminal.wait()
sys.stdout.flush()
print(f"the shell ended with {result.exit_code}")

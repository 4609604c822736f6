import std/os

os.sleep(60_000)

"""The surface of asyncio, from which that of threads is made."""

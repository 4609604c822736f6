"""The scenarios of libs/sdk/scenarios.yaml, against a whole platform. They are written for asyncio, in `_async`; those
of threads, in `_sync`, are made from them as the package's own surface is."""

"""python -m scenarios asyncio|threads: runs them all, and prints a line of JSON for each that ends."""

import sys

if sys.argv[1:] == ["asyncio"]:
    from scenarios._async.all import SCENARIOS as OF_ASYNCIO
    from scenarios._on_asyncio import run_all as run_tasks

    run_tasks(OF_ASYNCIO)
elif sys.argv[1:] == ["threads"]:
    from scenarios._on_threads import run_all as run_threads
    from scenarios._sync.all import SCENARIOS as OF_THREADS

    run_threads(OF_THREADS)
else:
    sys.exit(__doc__)

"""All scenarios, by their names in libs/sdk/scenarios.yaml."""

from __future__ import annotations

from scenarios._async import clients, commands, faults, judging, organizations, programs, sandboxes
from scenarios._on_asyncio import Scenario

SCENARIOS: dict[str, Scenario] = {
    # The slow ones first.
    **faults.SCENARIOS,
    **programs.SCENARIOS,
    **judging.SCENARIOS,
    **commands.SCENARIOS,
    **sandboxes.SCENARIOS,
    **clients.SCENARIOS,
    **organizations.SCENARIOS,
}

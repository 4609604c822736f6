"""Connections that are cut, and a gateway that is killed."""

from __future__ import annotations

from drydock import Program
from scenarios._async.support import lent, open_sandbox, open_tenant
from scenarios._on_asyncio import Scenario, Spawned, sleep

LINES = 60
COUNT = [
    "python3",
    "-c",
    f'import time\nfor i in range({LINES}): print(i, "x" * 2000, flush=True); time.sleep(0.03)',
]
COUNTED = "".join(f"{i} {'x' * 2000}\n" for i in range(LINES))


async def connection_cut_command() -> None:
    async with lent("proxies") as proxy, open_sandbox(url=proxy.url) as (_, sandbox):
        text = ""
        cuts = 0
        async for event in await sandbox.commands.start(COUNT):
            if event.type != "stdout":
                continue
            text += event.text
            if len(text) > (cuts + 1) * 20_000:
                cuts += 1
                await proxy.do("cut")
        assert cuts > 3
        assert text == COUNTED


async def connection_cut_queue() -> None:
    async with lent("proxies") as proxy, open_tenant(url=proxy.url) as tenant:
        program = Program(language="python", source="import time; time.sleep(1.5)")
        waiting = Spawned((await tenant.drydock.executions.submit(program)).wait)
        for _ in range(5):
            await sleep(0.3)
            await proxy.do("cut")
        execution = await waiting.wait()
        assert (execution.state, execution.verdict) == ("FINISHED", "ACCEPTED")


async def answer_lost() -> None:
    async with lent("proxies") as proxy, open_tenant(url=proxy.url) as tenant:
        sandboxes = tenant.drydock.sandboxes
        await sandboxes.list().to_list()
        await proxy.do("lose-answers")

        async def create() -> str:
            return (await sandboxes.create("python")).id

        creating = Spawned(create)
        await sleep(0.5)
        await proxy.do("keep-answers")
        made = await creating.wait()
        assert [info.id async for info in sandboxes.list()] == [made]


async def gateway_killed() -> None:
    async with lent("gateways") as gateway, open_sandbox(url=gateway.url, max_retries=30) as (_, sandbox):
        handle = await sandbox.commands.start(COUNT)
        async for event in handle:
            if event.type == "stdout":
                break
        await gateway.do("kill")
        listing = Spawned(sandbox.commands.list)
        await gateway.do("start")
        result = await handle.wait()
        assert (result.stdout, result.exit_code) == (COUNTED, 0)
        assert [info.id for info in await listing.wait()] == [handle.id]


SCENARIOS: dict[str, Scenario] = {
    "connection-cut-command": connection_cut_command,
    "connection-cut-queue": connection_cut_queue,
    "answer-lost": answer_lost,
    "gateway-killed": gateway_killed,
}

"""A client of the platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Literal

from drydock._async.blobs import AsyncBlobs
from drydock._async.connection import DEFAULT_RETRIES, AsyncConnection
from drydock._async.executions import AsyncExecutions
from drydock._async.resources import AsyncApiKeys, AsyncOrganizations, AsyncTemplates, AsyncWebhooks
from drydock._async.sandbox import AsyncSandboxes
from drydock._async.test_sets import AsyncTestSets
from drydock._config import resolve_settings
from drydock._durations import Duration
from drydock._limits import ResourceLimits
from drydock._programs import Checker, Comparison, Execution, Interactor, Program, TestCase, TestGroup


class AsyncDrydock:
    """A client of the platform, with one connection, which is made at the first call and shared by all that use the
    client. Leaving its scope closes it.

    `url`: where the platform is; `https:` means TLS. Default: that of a `profile` that is given, `DRYDOCK_URL`,
    that of the profile of the environment, `http://127.0.0.1:8080`. `api_key`: an API key, which is exchanged for
    tokens, or a token. Default: as of `url`, with `DRYDOCK_API_KEY`. `profile`: of `~/.config/drydock/config.toml`;
    it must be there. Default: `DRYDOCK_PROFILE`, `default`, which the environment wins over. `ca`: certificates of
    the authorities to trust, as PEM, instead of those that gRPC brings. `max_retries`: how often a call that is
    safe to repeat is made again, with growing waits; 0 for never.

    Raises InvalidArgumentError, and UnauthenticatedError where there is no key."""

    sandboxes: AsyncSandboxes
    executions: AsyncExecutions
    blobs: AsyncBlobs
    test_sets: AsyncTestSets
    templates: AsyncTemplates
    api_keys: AsyncApiKeys
    organizations: AsyncOrganizations
    webhooks: AsyncWebhooks

    def __init__(
        self,
        *,
        url: str | None = None,
        api_key: str | None = None,
        profile: str | None = None,
        ca: str | bytes | None = None,
        max_retries: int = DEFAULT_RETRIES,
    ) -> None:
        settings = resolve_settings(url=url, api_key=api_key, profile=profile)
        connection = AsyncConnection(settings, ca=ca, max_retries=max_retries)
        self._connection = connection
        self.sandboxes = AsyncSandboxes(connection)
        self.executions = AsyncExecutions(connection)
        self.blobs = AsyncBlobs(connection)
        self.test_sets = AsyncTestSets(connection)
        self.templates = AsyncTemplates(connection)
        self.api_keys = AsyncApiKeys(connection)
        self.organizations = AsyncOrganizations(connection)
        self.webhooks = AsyncWebhooks(connection)

    async def run(
        self,
        language: str,
        source: str,
        *,
        compiler_options: Sequence[str] = (),
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        stdin: str | bytes = "",
        expected_output: str | None = None,
        stdin_blob: str = "",
        expected_output_blob: str = "",
        comparison: Comparison | None = None,
        case_insensitive: bool = False,
        float_absolute_tolerance: float | None = None,
        float_relative_tolerance: float | None = None,
        float_tolerance: float | None = None,
        limits: ResourceLimits | None = None,
        compile_limits: ResourceLimits | None = None,
        isolation: Literal["CELL", "SANDBOX"] | None = None,
        test_cases: Sequence[TestCase] = (),
        test_set: str = "",
        groups: Sequence[TestGroup] = (),
        parallelism: int | None = None,
        stop_at_first_failure: bool = False,
        checker: Checker | None = None,
        interactor: Interactor | None = None,
        keep_transcript: bool = False,
        request_timeout: Duration | None = None,
    ) -> Execution:
        """Runs a program of one file now. As `executions.run`, with the fields of `Program`."""
        program = Program(
            language=language,
            source=source,
            compiler_options=compiler_options,
            arguments=arguments,
            environment=environment,
            stdin=stdin,
            expected_output=expected_output,
            stdin_blob=stdin_blob,
            expected_output_blob=expected_output_blob,
            comparison=comparison,
            case_insensitive=case_insensitive,
            float_absolute_tolerance=float_absolute_tolerance,
            float_relative_tolerance=float_relative_tolerance,
            float_tolerance=float_tolerance,
            limits=limits,
            compile_limits=compile_limits,
            isolation=isolation,
            test_cases=test_cases,
            test_set=test_set,
            groups=groups,
            parallelism=parallelism,
            stop_at_first_failure=stop_at_first_failure,
            checker=checker,
            interactor=interactor,
            keep_transcript=keep_transcript,
        )
        return await self.executions.run(program, request_timeout=request_timeout)

    async def close(self) -> None:
        """Ends the connection with all that is under way on it. That, and every later call, fails with
        ClientClosedError."""
        await self._connection.close()

    async def __aenter__(self) -> AsyncDrydock:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

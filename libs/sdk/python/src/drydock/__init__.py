"""Runs untrusted code on Drydock: programs to a verdict, queues of them, and live sandboxes."""

from drydock._async.client import AsyncDrydock
from drydock._async.command_handle import AsyncCommandHandle, AsyncStdin
from drydock._async.commands import AsyncCommands
from drydock._async.executions import AsyncExecutions, AsyncJob
from drydock._async.files import AsyncFiles
from drydock._async.paged import AsyncPaged
from drydock._async.pty import AsyncPty, AsyncTerminal
from drydock._async.resources import AsyncApiKeys, AsyncOrganizations, AsyncTemplates, AsyncWebhooks
from drydock._async.sandbox import AsyncSandbox, AsyncSandboxes
from drydock._durations import Duration
from drydock._errors import (
    ClientClosedError,
    ConflictError,
    ConnectionLostError,
    DrydockError,
    FieldViolation,
    FileNotFoundError,
    InvalidArgumentError,
    NoCapacityError,
    NotFoundError,
    OutputLostError,
    PermissionDeniedError,
    QuotaExceededError,
    SandboxNotRunningError,
    TimeoutError,
    UnauthenticatedError,
    UnavailableError,
)
from drydock._limits import ResourceLimits, ResourceUsage
from drydock._processes import (
    Command,
    CommandEvent,
    CommandExitError,
    CommandInfo,
    CommandResult,
    ExitEvent,
    Offset,
    OutputEvent,
)
from drydock._programs import (
    CaseResult,
    Checker,
    CompileResult,
    CompileStarted,
    Execution,
    ExecutionState,
    Finished,
    Program,
    ProgramOutput,
    RunEvent,
    RunStarted,
    SourceFiles,
    TestCase,
    Verdict,
)
from drydock._records import (
    ApiKey,
    FileInfo,
    Language,
    NewApiKey,
    NewOrganization,
    NewWebhook,
    Organization,
    Quota,
    SandboxInfo,
    SandboxState,
    Template,
    Webhook,
    WebhookDelivery,
)
from drydock._sync.client import Drydock
from drydock._sync.command_handle import CommandHandle, Stdin
from drydock._sync.commands import Commands
from drydock._sync.executions import Executions, Job
from drydock._sync.files import Files
from drydock._sync.paged import Paged
from drydock._sync.pty import Pty, Terminal
from drydock._sync.resources import ApiKeys, Organizations, Templates, Webhooks
from drydock._sync.sandbox import Sandbox, Sandboxes
from drydock._version import VERSION as __version__

__all__ = [
    "ApiKey",
    "ApiKeys",
    "AsyncApiKeys",
    "AsyncCommandHandle",
    "AsyncCommands",
    "AsyncDrydock",
    "AsyncExecutions",
    "AsyncFiles",
    "AsyncJob",
    "AsyncOrganizations",
    "AsyncPaged",
    "AsyncPty",
    "AsyncSandbox",
    "AsyncSandboxes",
    "AsyncStdin",
    "AsyncTemplates",
    "AsyncTerminal",
    "AsyncWebhooks",
    "CaseResult",
    "Checker",
    "ClientClosedError",
    "Command",
    "CommandEvent",
    "CommandExitError",
    "CommandHandle",
    "CommandInfo",
    "CommandResult",
    "Commands",
    "CompileResult",
    "CompileStarted",
    "ConflictError",
    "ConnectionLostError",
    "Drydock",
    "DrydockError",
    "Duration",
    "Execution",
    "ExecutionState",
    "Executions",
    "ExitEvent",
    "FieldViolation",
    "FileInfo",
    "FileNotFoundError",
    "Files",
    "Finished",
    "InvalidArgumentError",
    "Job",
    "Language",
    "NewApiKey",
    "NewOrganization",
    "NewWebhook",
    "NoCapacityError",
    "NotFoundError",
    "Offset",
    "Organization",
    "Organizations",
    "OutputEvent",
    "OutputLostError",
    "Paged",
    "PermissionDeniedError",
    "Program",
    "ProgramOutput",
    "Pty",
    "Quota",
    "QuotaExceededError",
    "ResourceLimits",
    "ResourceUsage",
    "RunEvent",
    "RunStarted",
    "Sandbox",
    "SandboxInfo",
    "SandboxNotRunningError",
    "SandboxState",
    "Sandboxes",
    "SourceFiles",
    "Stdin",
    "Template",
    "Templates",
    "Terminal",
    "TestCase",
    "TimeoutError",
    "UnauthenticatedError",
    "UnavailableError",
    "Verdict",
    "Webhook",
    "WebhookDelivery",
    "Webhooks",
    "__version__",
]

"""What the platform tells of sandboxes, files, and what administers an organisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from drydock._limits import ResourceLimits, from_limits
from drydock._messages import name_of, time_in
from drydock.v1 import auth_pb2, blob_pb2, file_pb2, sandbox_pb2, template_pb2, webhook_pb2

SandboxState: TypeAlias = Literal["PENDING", "RUNNING", "PAUSED", "STOPPED", "UNRECOGNIZED"]
"""UNRECOGNIZED: the server is newer than this package."""


@dataclass(frozen=True, kw_only=True)
class SandboxInfo:
    id: str
    template: str
    state: SandboxState
    stop_reason: str | None
    """Set once it has stopped, such as `EXPIRED`."""
    limits: ResourceLimits
    """Every limit, as applied."""
    metadata: Mapping[str, str]
    create_time: datetime | None
    start_time: datetime | None
    expire_time: datetime | None
    """When it is destroyed unless its lifetime is extended."""
    stop_time: datetime | None


def to_sandbox_info(message: sandbox_pb2.Sandbox) -> SandboxInfo:
    stopped = message.stop_reason != sandbox_pb2.Sandbox.STOP_REASON_UNSPECIFIED
    return SandboxInfo(
        id=message.id,
        template=message.template,
        state=name_of(sandbox_pb2.Sandbox.State, message.state),
        stop_reason=name_of(sandbox_pb2.Sandbox.StopReason, message.stop_reason) if stopped else None,
        limits=from_limits(message.limits),
        metadata=dict(message.metadata),
        create_time=time_in(message, "create_time"),
        start_time=time_in(message, "start_time"),
        expire_time=time_in(message, "expire_time"),
        stop_time=time_in(message, "stop_time"),
    )


@dataclass(frozen=True, kw_only=True)
class FileInfo:
    name: str
    path: str
    """Absolute."""
    type: Literal["file", "directory", "symlink", "other"]
    size_bytes: int
    mode: int
    """Permission bits, such as 0o644."""
    modify_time: datetime | None
    link_target: str | None
    """Where a symbolic link points."""


_TYPES: Mapping[int, Literal["file", "directory", "symlink"]] = {
    file_pb2.FileInfo.FILE: "file",
    file_pb2.FileInfo.DIRECTORY: "directory",
    file_pb2.FileInfo.SYMLINK: "symlink",
}


def to_file_info(message: file_pb2.FileInfo) -> FileInfo:
    return FileInfo(
        name=message.name,
        path=message.path,
        type=_TYPES.get(message.type, "other"),
        size_bytes=message.size_bytes,
        mode=message.mode,
        modify_time=time_in(message, "modify_time"),
        link_target=message.link_target or None,
    )


@dataclass(frozen=True, kw_only=True)
class BlobInfo:
    sha256: str
    """Of the bytes, as 64 lower-case hexadecimal digits."""
    size_bytes: int
    create_time: datetime | None


@dataclass(frozen=True, kw_only=True)
class BlobStat:
    """Which blobs are there."""

    blobs: Sequence[BlobInfo]
    """Once each, in the order in which they were asked for."""
    missing: Sequence[str]
    """SHA-256 of the others."""


def to_blob_info(message: blob_pb2.Blob) -> BlobInfo:
    return BlobInfo(sha256=message.sha256, size_bytes=message.size_bytes, create_time=time_in(message, "create_time"))


@dataclass(frozen=True, kw_only=True)
class Template:
    """A kind of sandbox."""

    id: str
    description: str
    default_limits: ResourceLimits
    languages: Sequence[str]
    """Names of the languages that it runs."""
    writable_root: bool


def to_template(message: template_pb2.Template) -> Template:
    return Template(
        id=message.id,
        description=message.description,
        default_limits=from_limits(message.default_limits),
        languages=tuple(message.languages),
        writable_root=message.writable_root,
    )


@dataclass(frozen=True, kw_only=True)
class Language:
    name: str
    """Such as `python`."""
    display_name: str
    """Such as `Python 3.11`."""
    template: str
    source_file: str
    """The file that `source` is written to, such as `main.py`."""
    compiled: bool


def to_language(message: template_pb2.Language) -> Language:
    return Language(
        name=message.name,
        display_name=message.display_name,
        template=message.template,
        source_file=message.source_file,
        compiled=message.compiled,
    )


@dataclass(frozen=True, kw_only=True)
class Quota:
    """What an organisation may have at one time. None: the default, or in an update, as it is."""

    concurrent_sandboxes: int | None = None
    """Sandboxes and executions that are waited for, together. 1 to 100,000; default 100."""
    concurrent_executions: int | None = None
    """Executions of the queue that run at one time. 1 to 10,000; default 16."""
    queued_executions: int | None = None
    """Executions that wait in the queue. 1 to 10,000,000; default 100,000."""
    queue_weight: int | None = None
    """The organisation's share of the platform while others have work too. 1 to 10,000; default 100."""
    shared_pool: bool | None = None
    """Its sandboxes may come from the warm pool that organisations share. Default true."""
    blob_bytes: int | None = None
    """Bytes of its blobs, with uploads under way. 1 to 100 TiB; default 10 GiB."""


def to_quota_message(quota: Quota | None) -> auth_pb2.Quota | None:
    return None if quota is None else auth_pb2.Quota(**vars(quota))


@dataclass(frozen=True, kw_only=True)
class Organization:
    id: str
    display_name: str
    quota: Quota
    create_time: datetime | None


def to_organization(message: auth_pb2.Organization) -> Organization:
    return Organization(
        id=message.id,
        display_name=message.display_name,
        quota=Quota(**{field.name: value for field, value in message.quota.ListFields()}),
        create_time=time_in(message, "create_time"),
    )


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    id: str
    """Not the secret."""
    display_name: str
    scopes: Sequence[str]
    create_time: datetime | None
    revoke_time: datetime | None
    """Set once it is revoked."""
    expire_time: datetime | None
    """None: it does not expire."""
    creator_api_key_id: str
    """The key that made it, itself or by its tokens. Empty for the first key of an organisation."""


def to_api_key(message: auth_pb2.ApiKey) -> ApiKey:
    return ApiKey(
        id=message.id,
        display_name=message.display_name,
        scopes=tuple(message.scopes),
        create_time=time_in(message, "create_time"),
        revoke_time=time_in(message, "revoke_time"),
        expire_time=time_in(message, "expire_time"),
        creator_api_key_id=message.creator_api_key_id,
    )


@dataclass(frozen=True, kw_only=True)
class NewApiKey:
    """A key with its secret, `dk_…`, which is shown this once."""

    api_key: ApiKey
    secret: str


@dataclass(frozen=True, kw_only=True)
class NewOrganization:
    """An organisation and its first API key, whose secret is shown this once."""

    organization: Organization
    api_key: ApiKey
    secret: str


@dataclass(frozen=True, kw_only=True)
class Webhook:
    id: str
    url: str
    create_time: datetime | None


def to_webhook(message: webhook_pb2.Webhook) -> Webhook:
    return Webhook(id=message.id, url=message.url, create_time=time_in(message, "create_time"))


@dataclass(frozen=True, kw_only=True)
class NewWebhook:
    """A webhook with the secret that signs its deliveries, `whs_…`, which is shown this once."""

    webhook: Webhook
    secret: str
    old_secret_expire_time: datetime | None = None
    """After a rotation: until when the secret before it signs too."""


@dataclass(frozen=True, kw_only=True)
class WebhookDelivery:
    """One execution's end, told to one webhook."""

    id: str
    execution_id: str
    state: Literal["PENDING", "DELIVERED", "FAILED", "UNRECOGNIZED"]
    attempts: int
    last_status_code: int
    """HTTP status of the last answer; 0 where there was none."""
    last_error: str
    create_time: datetime | None
    last_attempt_time: datetime | None
    next_attempt_time: datetime | None


def to_delivery(message: webhook_pb2.WebhookDelivery) -> WebhookDelivery:
    return WebhookDelivery(
        id=message.id,
        execution_id=message.execution_id,
        state=name_of(webhook_pb2.WebhookDelivery.State, message.state),
        attempts=message.attempts,
        last_status_code=message.last_status_code,
        last_error=message.last_error,
        create_time=time_in(message, "create_time"),
        last_attempt_time=time_in(message, "last_attempt_time"),
        next_attempt_time=time_in(message, "next_attempt_time"),
    )

import type { Catalog, Template } from '#libs/catalog/catalog.ts';
import { applyLimits, MAX_LIFETIME_MS, millisecondsOf, RUN_TIMES } from '#libs/catalog/limits.ts';
import { checkFields, type FieldChecks } from '#libs/field-checks.ts';
import { firstCharacters } from '#libs/first-characters.ts';
import type { AppliedLimits } from '#proto/drydock/internal/v1/spec.ts';
import type { CreateSandboxRequest, UpdateSandboxRequest } from '#proto/drydock/v1/sandbox.ts';
import type { Duration } from '#proto/google/protobuf/duration.ts';
import { checkEnvironment, checkRequestId, findTemplate, refuseLimits } from '../requests/checks.ts';

const DEFAULT_LIFETIME_MS = 5 * 60_000;
const MIN_LIFETIME_MS = 1_000;
const MAX_LABELS = 32;
const MAX_LABEL_KEY = 64;
const MAX_LABEL_VALUE = 256;
const EXECUTION_ONLY = ['wallTime', 'cpuTime', 'outputBytes', 'stackBytes', 'fileBytes', 'openFiles'] as const;

export type CheckedSandbox = { template: Template; limits: AppliedLimits; lifetimeMs: number };

/** A validated request, before ids are assigned. */
export function checkSandbox(request: CreateSandboxRequest, catalog: Catalog): CheckedSandbox {
  const template = findTemplate(catalog, request.template);
  const check = checkFields();
  refuseLimits(check, 'limits', request.limits, EXECUTION_ONLY, 'is for executions; a sandbox has its lifetime');
  checkRequestId(check, request.requestId);
  checkEnvironment(check, request.environment);
  checkMetadata(check, request.metadata);
  const lifetimeMs = checkLifetime(check, request.lifetime) ?? DEFAULT_LIFETIME_MS;
  const limits = applyLimits('limits', request.limits, template.limits, RUN_TIMES, check.violation);
  check.done();
  return { template, limits, lifetimeMs };
}

/** The fields that an update changes; absent ones keep their values. */
export function checkChange(request: UpdateSandboxRequest): { lifetimeMs?: number; metadata?: Record<string, string> } {
  const { lifetime, metadata } = request;
  const check = checkFields();
  checkRequestId(check, request.requestId);
  const set = { lifetime: lifetime !== undefined, metadata: Object.keys(metadata).length > 0 };
  const updated = check.updated(request.updateMask, set);
  if (updated.has('lifetime') && !lifetime) check.violation('lifetime', 'is required');
  const lifetimeMs = updated.has('lifetime') ? checkLifetime(check, lifetime) : undefined;
  checkMetadata(check, metadata);
  check.done();
  return { ...(lifetimeMs ? { lifetimeMs } : {}), ...(updated.has('metadata') ? { metadata } : {}) };
}

function checkLifetime(check: FieldChecks, lifetime: Duration | undefined): number | undefined {
  if (!lifetime) return undefined;
  const ms = millisecondsOf(lifetime);
  if (!(ms >= MIN_LIFETIME_MS && ms <= MAX_LIFETIME_MS)) check.violation('lifetime', 'must be from 1 s to 24 h');
  return ms;
}

function checkMetadata(check: FieldChecks, metadata: Record<string, string>): void {
  const labels = Object.entries(metadata);
  if (labels.length > MAX_LABELS) check.violation('metadata', `has more than ${MAX_LABELS} labels`);
  for (const [key, value] of labels) {
    check.string('metadata', key, { required: true, maxLength: MAX_LABEL_KEY });
    check.string(`metadata.${firstCharacters(key, MAX_LABEL_KEY)}`, value, { maxLength: MAX_LABEL_VALUE });
  }
}

import { newId } from '#libs/ids.ts';
import { type ExecutionSpec, SandboxSpec, type Tenancy } from '#proto/drydock/internal/v1/spec.ts';
import type { CheckedExecution } from './validation.ts';

/** What a checked request asks to be run, for whoever comes to own it. */
export function toSpec({ spec, template, sandboxLimits }: CheckedExecution, tenancy: Tenancy): ExecutionSpec {
  const { checker } = spec;
  return {
    ...spec,
    executionId: '',
    sandbox: SandboxSpec.create({ template: template.id, limits: sandboxLimits, tenancy }),
    checker: checker && { ...checker, sandbox: SandboxSpec.create({ ...checker.sandbox, tenancy }) },
  };
}

/** The spec of one run: sandboxes of its own, so that nothing of an earlier attempt is met again. */
export function ownSpec(
  spec: ExecutionSpec,
  { executionId, organizationId, deadline }: { executionId: string; organizationId: string; deadline: Date },
): ExecutionSpec {
  const own = (sandbox: SandboxSpec | undefined) =>
    SandboxSpec.create({ ...sandbox, sandboxId: newId('sbx'), organizationId, expireTime: deadline });
  return {
    ...spec,
    executionId,
    sandbox: own(spec.sandbox),
    checker: spec.checker && { ...spec.checker, sandbox: own(spec.checker.sandbox) },
  };
}

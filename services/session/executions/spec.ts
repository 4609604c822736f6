import { newId } from '#libs/ids.ts';
import { type CheckerSpec, type ExecutionSpec, SandboxSpec, type Tenancy } from '#proto/drydock/internal/v1/spec.ts';
import type { CheckedExecution } from './validation.ts';

/** The spec of a validated request, before ids and deadlines are assigned. */
export function toSpec({ spec, template, sandboxLimits }: CheckedExecution, tenancy: Tenancy): ExecutionSpec {
  const own = (judge: CheckerSpec | undefined) =>
    judge && { ...judge, sandbox: SandboxSpec.create({ ...judge.sandbox, tenancy }) };
  return {
    ...spec,
    executionId: '',
    sandbox: SandboxSpec.create({ template: template.id, limits: sandboxLimits, tenancy }),
    checker: own(spec.checker),
    interactor: own(spec.interactor),
  };
}

/** The spec of one attempt: with new sandboxes, so that nothing of an earlier attempt is left in them. */
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
    interactor: spec.interactor && { ...spec.interactor, sandbox: own(spec.interactor.sandbox) },
  };
}

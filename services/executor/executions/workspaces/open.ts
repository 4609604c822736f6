import { hasReason } from '#libs/errors.ts';
import { newId } from '#libs/ids.ts';
import type { Logger } from '#libs/log.ts';
import type { SandboxSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { Isolation } from '#proto/drydock/v1/execution.ts';
import type { Backend } from '../../backends/backend.ts';
import type { Instances } from '../../instances/instances.ts';
import type { Sandboxes } from '../../sandboxes/sandboxes.ts';
import type { CellHosts } from '../cell-hosts.ts';
import { openCellWorkspace } from './cell.ts';
import { openSandboxWorkspace } from './sandbox.ts';
import type { Workspace } from './workspace.ts';

export type Workspaces = {
  sandboxes: Sandboxes;
  cellHosts: CellHosts;
  instances: Instances;
  backend: Backend;
  log: Logger;
};

/**
 * Opens a workspace of the kind that was asked for; without a wish a cell, where the template can have them. Errors:
 * NO_CAPACITY, SANDBOX_START_FAILED; NOT_IMPLEMENTED where a cell was asked for that cannot be.
 */
export async function openWorkspace(
  workspaces: Workspaces,
  spec: SandboxSpec,
  isolation: Isolation,
  signal: AbortSignal,
): Promise<Workspace> {
  if (isolation !== 'SANDBOX') {
    try {
      return await openCellWorkspace(workspaces, spec, signal);
    } catch (error) {
      if (isolation === 'CELL' || !meansNoCells(error, workspaces.instances.hasCells(spec.template))) throw error;
    }
  }
  // An id of its own each time: one that an earlier attempt used would be that one's sandbox.
  return openSandboxWorkspace(workspaces, { ...spec, sandboxId: newId('sbx') }, signal);
}

/** Where cells have never worked, failing to start is how an engine may say that it cannot make them. */
function meansNoCells(error: unknown, hasCells: boolean | undefined): boolean {
  return hasReason(error, 'NOT_IMPLEMENTED') || (!hasCells && hasReason(error, 'SANDBOX_START_FAILED'));
}

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
 * Opens a workspace with the requested isolation; by default a cell if the template can have cells, else a sandbox. Errors:
 * NO_CAPACITY, SANDBOX_START_FAILED; NOT_IMPLEMENTED if a cell was requested and the template cannot have cells.
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
  // A new id each time: with the id of an earlier attempt, the claim would answer with its sandbox.
  return openSandboxWorkspace(workspaces, { ...spec, sandboxId: newId('sbx') }, signal);
}

/** An engine that cannot run cells may fail to start them, so before the first cell that counts as well. */
function meansNoCells(error: unknown, hasCells: boolean | undefined): boolean {
  return hasReason(error, 'NOT_IMPLEMENTED') || (!hasCells && hasReason(error, 'SANDBOX_START_FAILED'));
}

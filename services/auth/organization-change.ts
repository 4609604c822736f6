import { checkFields } from '#libs/field-checks.ts';
import type { Quota, UpdateOrganizationRequest } from '#proto/drydock/v1/auth.ts';
import { checkQuota } from './quota.ts';

export type Change = { displayName?: string; quota?: Quota };

/** What an update asks for: absent is left as it is. Errors: INVALID_FIELD. */
export function checkChange({ displayName, quota, updateMask, requestId }: UpdateOrganizationRequest): Change {
  const named = updateMask ?? [];
  const set = [...(displayName ? ['display_name'] : []), ...(quota ? ['quota'] : [])];
  const paths = named.length > 0 ? named : set;
  const check = checkFields();
  for (const path of paths)
    if (path !== 'display_name' && path !== 'quota')
      check.violation('updateMask', `cannot change '${path.slice(0, 64)}'`);
  if (paths.length === 0) check.violation('updateMask', 'names nothing to change');
  const renamed = paths.includes('display_name');
  check.string('displayName', displayName, { required: renamed, maxLength: 128 });
  if (paths.includes('quota') && !quota) check.violation('quota', 'is required');
  checkQuota(quota, check);
  check.string('requestId', requestId, { maxLength: 128 });
  check.done();
  return { ...(renamed ? { displayName } : {}), ...(quota && paths.includes('quota') ? { quota } : {}) };
}

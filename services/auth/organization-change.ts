import { checkFields } from '#libs/field-checks.ts';
import type { Quota, UpdateOrganizationRequest } from '#proto/drydock/v1/auth.ts';
import { checkQuota } from './quota.ts';

export type Change = { displayName?: string; quota?: Quota };

/** The fields that an update changes; absent ones keep their values. Errors: INVALID_FIELD. */
export function checkChange({ displayName, quota, updateMask, requestId }: UpdateOrganizationRequest): Change {
  const check = checkFields();
  const updated = check.updated(updateMask, { display_name: displayName !== '', quota: quota !== undefined });
  const renamed = updated.has('display_name');
  check.string('displayName', displayName, { required: renamed, maxLength: 128 });
  if (updated.has('quota') && !quota) check.violation('quota', 'is required');
  checkQuota(quota, check);
  check.string('requestId', requestId, { maxLength: 128 });
  check.done();
  return { ...(renamed ? { displayName } : {}), ...(quota && updated.has('quota') ? { quota } : {}) };
}

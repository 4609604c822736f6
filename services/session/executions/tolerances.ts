import type { FieldChecks } from '#libs/field-checks.ts';
import type { ExecutionSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { RunCodeRequest } from '#proto/drydock/v1/execution.ts';

const DEFAULT_TOLERANCE = 1e-6;
const MAX_ABSOLUTE = 1e9;

type Tolerances = Pick<ExecutionSpec, 'floatTolerance' | 'absoluteTolerance' | 'relativeTolerance'>;

/** The tolerances of FLOAT. The new fields win; where only one of them is set, the other is 0. */
export function checkTolerances(check: FieldChecks, request: RunCodeRequest): Tolerances {
  const {
    floatTolerance = DEFAULT_TOLERANCE,
    floatAbsoluteTolerance: absolute,
    floatRelativeTolerance: relative,
  } = request;
  if (!(floatTolerance > 0 && floatTolerance <= 1)) check.violation('floatTolerance', 'must be above 0 and at most 1');
  if (absolute !== undefined && !(absolute >= 0 && absolute <= MAX_ABSOLUTE))
    check.violation('floatAbsoluteTolerance', `must be from 0 to ${MAX_ABSOLUTE}`);
  if (relative !== undefined && !(relative >= 0 && relative <= 1))
    check.violation('floatRelativeTolerance', 'must be from 0 to 1');
  const otherwise = absolute === undefined && relative === undefined ? floatTolerance : 0;
  return {
    floatTolerance,
    absoluteTolerance: absolute ?? otherwise,
    relativeTolerance: relative ?? otherwise,
  };
}

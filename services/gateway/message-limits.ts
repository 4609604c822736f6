import { type DescExtension, type DescField, type FileRegistry, getOption } from '@bufbuild/protobuf';

/** Of a field that is not the API's own, such as the paths of a field mask. */
const MAX_FOREIGN_ITEMS = 100;
const API_PACKAGE = 'drydock.v1.';

/** The most items of a repeated field, or entries of a map. */
export type ItemLimits = (field: DescField) => number;

/** Reads the option `drydock.v1.max_items` of fields. Throws if a repeated field or map of the API lacks it. */
export function readItemLimits(registry: FileRegistry): ItemLimits {
  const option = registry.getExtension('drydock.v1.max_items');
  if (!option) throw new Error('the descriptors lack drydock/v1/limits.proto');
  return (field) => {
    if (!field.parent.typeName.startsWith(API_PACKAGE)) return MAX_FOREIGN_ITEMS;
    const limit = getOption<DescExtension, DescField>(field, option) as number;
    if (!limit) throw new Error(`${field} lacks (drydock.v1.max_items)`);
    return limit;
  };
}

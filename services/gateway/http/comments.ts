import type { AnyDesc, DescEnum, DescFile, DescMessage } from '@bufbuild/protobuf';

// Field numbers of FileDescriptorProto and its parts, which the paths of source locations are made of.
const FILE = { message: 4, enum: 5, service: 6 };
const MESSAGE = { field: 2, nested: 3, enum: 4 };
const METHOD = 2;
const ENUM_VALUE = 2;

/** The comment above something in a proto file, as one paragraph of plain text; empty where there is none. */
export function commentOf(descriptor: AnyDesc): string {
  const path = pathOf(descriptor)?.join('.') ?? '';
  const comment = commentsIn(descriptor.kind === 'file' ? descriptor : fileOf(descriptor)).get(path);
  return (comment ?? '').replaceAll(/\s+/g, ' ').trim();
}

const commentsOf = new WeakMap<DescFile, Map<string, string>>();

/** By path. Looking through the locations for each would take their square. */
function commentsIn(file: DescFile): Map<string, string> {
  let comments = commentsOf.get(file);
  if (!comments) {
    const locations = file.proto.sourceCodeInfo?.location ?? [];
    comments = new Map(locations.map(({ path, leadingComments }) => [path.join('.'), leadingComments]));
    commentsOf.set(file, comments);
  }
  return comments;
}

function fileOf(descriptor: Exclude<AnyDesc, { kind: 'file' }>) {
  if ('file' in descriptor) return descriptor.file;
  return descriptor.parent!.file;
}

function pathOf(descriptor: AnyDesc): number[] | undefined {
  switch (descriptor.kind) {
    case 'service':
      return [FILE.service, descriptor.file.services.indexOf(descriptor)];
    case 'rpc':
      return [...pathOf(descriptor.parent)!, METHOD, descriptor.parent.methods.indexOf(descriptor)];
    case 'field':
      return [...pathOf(descriptor.parent)!, MESSAGE.field, descriptor.parent.fields.indexOf(descriptor)];
    case 'enum_value':
      return [...pathOf(descriptor.parent)!, ENUM_VALUE, descriptor.parent.values.indexOf(descriptor)];
    case 'message':
      return typePath(
        descriptor,
        descriptor.file.messages,
        descriptor.parent?.nestedMessages,
        FILE.message,
        MESSAGE.nested,
      );
    case 'enum':
      return typePath(descriptor, descriptor.file.enums, descriptor.parent?.nestedEnums, FILE.enum, MESSAGE.enum);
    default:
      return undefined;
  }
}

function typePath<T extends DescMessage | DescEnum>(
  type: T,
  top: T[],
  nested: T[] | undefined,
  inFile: number,
  inMessage: number,
): number[] {
  if (!type.parent || !nested) return [inFile, top.indexOf(type)];
  return [...pathOf(type.parent)!, inMessage, nested.indexOf(type)];
}

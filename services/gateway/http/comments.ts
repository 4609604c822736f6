import type { DescField, DescMessage, DescMethod } from '@bufbuild/protobuf';

/** The comment above a declaration in the proto; empty where there is none, or the descriptors were built without. */
export function getComments(descriptor: DescField | DescMessage | DescMethod): string {
  const path = pathOf(descriptor);
  const { file } = descriptor.kind === 'field' || descriptor.kind === 'rpc' ? descriptor.parent : descriptor;
  const found = file.proto.sourceCodeInfo?.location.find(
    (location) => location.path.length === path.length && location.path.every((part, index) => part === path[index]),
  );
  return (found?.leadingComments ?? '')
    .split('\n')
    .map((line) => line.replace(/^ /, ''))
    .join('\n')
    .trim();
}

// Field numbers of google.protobuf.FileDescriptorProto and what is in it.
const MESSAGE_OF_FILE = 4;
const SERVICE_OF_FILE = 6;
const FIELD_OF_MESSAGE = 2;
const METHOD_OF_SERVICE = 2;

function pathOf(descriptor: DescField | DescMessage | DescMethod): number[] {
  if (descriptor.kind === 'rpc') {
    const { parent } = descriptor;
    return [SERVICE_OF_FILE, parent.file.services.indexOf(parent), METHOD_OF_SERVICE, parent.methods.indexOf(descriptor)];
  }
  if (descriptor.kind === 'field')
    return [...pathOf(descriptor.parent), FIELD_OF_MESSAGE, descriptor.parent.fields.indexOf(descriptor)];
  return [MESSAGE_OF_FILE, descriptor.file.messages.indexOf(descriptor)];
}

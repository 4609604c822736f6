import { create, createFileRegistry, type DescFile, type FileRegistry, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type FileDescriptorSet, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { HEALTH_FILE } from './health-descriptor.ts';

const PUBLIC_PACKAGE = 'drydock.v1';

export type Descriptors = { set: FileDescriptorSet; registry: FileRegistry };

/** Reads a FileDescriptorSet, imports included. */
export function readDescriptors(bytes: Uint8Array): Descriptors {
  const set = fromBinary(FileDescriptorSetSchema, bytes);
  return { set, registry: createFileRegistry(set) };
}

/** The FileDescriptorSet of the public API and of health alone. Internal services are not described to callers. */
export function publicFiles({ set, registry }: Descriptors): Uint8Array {
  const names = new Set<string>();
  const add = (file: DescFile) => {
    names.add(file.proto.name);
    file.dependencies.forEach(add);
  };
  for (const file of registry.files) if (file.proto.package === PUBLIC_PACKAGE) add(file);
  return toBinary(
    FileDescriptorSetSchema,
    create(FileDescriptorSetSchema, { file: [...set.file.filter(({ name }) => names.has(name)), HEALTH_FILE] }),
  );
}

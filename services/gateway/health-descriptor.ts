import { fromJson } from '@bufbuild/protobuf';
import { type FileDescriptorProto, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';

const PACKAGE = 'grpc.health.v1';
const method = (name: string, serverStreaming: boolean) => ({
  name,
  inputType: `.${PACKAGE}.HealthCheckRequest`,
  outputType: `.${PACKAGE}.HealthCheckResponse`,
  serverStreaming,
});
const field = (name: string, type: { type: string; typeName?: string }) => ({
  name,
  number: 1,
  label: 'LABEL_OPTIONAL',
  jsonName: name,
  ...type,
});

/** The standard health protocol, which the package that serves it brings without its descriptor. */
export const HEALTH_FILE: FileDescriptorProto = fromJson(FileDescriptorProtoSchema, {
  name: 'grpc/health/v1/health.proto',
  package: PACKAGE,
  syntax: 'proto3',
  messageType: [
    { name: 'HealthCheckRequest', field: [field('service', { type: 'TYPE_STRING' })] },
    {
      name: 'HealthCheckResponse',
      field: [field('status', { type: 'TYPE_ENUM', typeName: `.${PACKAGE}.HealthCheckResponse.ServingStatus` })],
      enumType: [
        {
          name: 'ServingStatus',
          value: ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'].map((name, number) => ({ name, number })),
        },
      ],
    },
  ],
  service: [{ name: 'Health', method: [method('Check', false), method('Watch', true)] }],
});

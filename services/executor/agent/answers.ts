import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { Definition } from '#libs/grpc/rpc.ts';

/** Tags, lengths and small numbers of an answer. A thousand entries of a directory have 16,000. */
const MAX_PARTS = 50_000;
/** An agent keeps a thousand processes, of a thousand words each: words cost little where there are few processes. */
const LIST = { path: 'drydock.agent.v1.ProcessService/List', maxParts: 2_500_000, maxItems: 1_000 };

/**
 * A service whose answers are refused where they have more parts than an agent's own: two bytes of an empty item are a hundred of
 * memory.
 */
export function boundAnswers<D extends Definition>(definition: D): D {
  const methods = Object.entries(definition.methods).map(([key, method]) => {
    const { responseType, name } = method;
    const isList = `${definition.fullName}/${name}` === LIST.path;
    const maxParts = isList ? LIST.maxParts : MAX_PARTS;
    // What ts-proto generates takes a reader, too.
    const decodeFrom = responseType.decode as unknown as (reader: BinaryReader) => unknown;
    const decode = (bytes: Uint8Array): unknown => {
      if (isList) checkItems(bytes);
      return decodeFrom(countingReader(bytes, maxParts));
    };
    return [key, { ...method, responseType: { ...responseType, decode } }];
  });
  return { ...definition, methods: Object.fromEntries(methods) };
}

function countingReader(bytes: Uint8Array, maxParts: number): BinaryReader {
  const reader = new BinaryReader(bytes);
  const read = reader.uint32;
  let parts = 0;
  reader.uint32 = () => {
    parts += 1;
    if (parts > maxParts) throw new RangeError(`the answer has more than ${maxParts} parts`);
    return read.call(reader);
  };
  return reader;
}

/** Throws if the message has more fields than an agent keeps processes. Nothing is made of them. */
function checkItems(bytes: Uint8Array): void {
  const reader = new BinaryReader(bytes);
  for (let items = 0; reader.pos < reader.len; items++) {
    if (items === LIST.maxItems) throw new RangeError(`the answer has more than ${LIST.maxItems} processes`);
    const [field, wireType] = reader.tag();
    reader.skip(wireType, field);
  }
}

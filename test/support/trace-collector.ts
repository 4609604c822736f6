import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

export type Span = { service: string; name: string; traceId: string; spanId: string; parentSpanId: string };

/** Takes traces by OTLP over HTTP, as protobuf, and keeps their spans. */
export async function startTraceCollector() {
  const spans: Span[] = [];
  const server = createServer(async (request, response) => {
    spans.push(...readSpans(await buffer(request)));
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

// Field numbers of opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest and of what is in it.
const RESOURCE_SPANS = 1;
const RESOURCE = 1;
const ATTRIBUTE = { all: 1, key: 1, value: 2, text: 1 };
const SCOPE_SPANS = 2;
const SPANS = 2;
const SPAN = { traceId: 1, spanId: 2, parentSpanId: 4, name: 5 };

function readSpans(request: Uint8Array): Span[] {
  return fieldsOf(request, RESOURCE_SPANS).flatMap((resourceSpans) => {
    const resource = fieldsOf(resourceSpans, RESOURCE)[0] ?? new Uint8Array();
    const named = fieldsOf(resource, ATTRIBUTE.all).find((each) => textOf(each, ATTRIBUTE.key) === 'service.name');
    const service = named ? textOf(fieldsOf(named, ATTRIBUTE.value)[0]!, ATTRIBUTE.text) : '';
    const spans = fieldsOf(resourceSpans, SCOPE_SPANS).flatMap((scope) => fieldsOf(scope, SPANS));
    return spans.map((span) => ({
      service,
      name: textOf(span, SPAN.name),
      traceId: hexOf(span, SPAN.traceId),
      spanId: hexOf(span, SPAN.spanId),
      parentSpanId: hexOf(span, SPAN.parentSpanId),
    }));
  });
}

/** The values of one field that have a length: texts, bytes and messages. */
function fieldsOf(message: Uint8Array, wanted: number): Uint8Array[] {
  const reader = new BinaryReader(message);
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === wanted && type === WireType.LengthDelimited) found.push(reader.bytes());
    else reader.skip(type);
  }
  return found;
}

const bytesOf = (message: Uint8Array, field: number) => Buffer.from(fieldsOf(message, field)[0] ?? []);
const textOf = (message: Uint8Array, field: number) => bytesOf(message, field).toString();
const hexOf = (message: Uint8Array, field: number) => bytesOf(message, field).toString('hex');

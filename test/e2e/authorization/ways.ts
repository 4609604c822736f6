import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '@bufbuild/protobuf';
import { methodPath } from '#libs/grpc/rpc.ts';
import { BUILD } from '../../../deploy/host/root.ts';
import { readContract } from '../../../services/gateway/contract.ts';
import { readDescriptors } from '../../../services/gateway/descriptors.ts';
import { type Binding, isRaw, readBindings } from '../../../services/gateway/http/bindings.ts';
import { PUBLIC_METHODS, type PublicMethod, type Scope } from '../../../services/gateway/owners.ts';
import { httpRequest, messageOf, type Refusal, type Wire } from '../../support/wire.ts';
import { type Ids, UNKNOWN_IDS } from './belongings.ts';
import { ROWS, type Row } from './rows.ts';

/** How a call ended; `status` is that of HTTP. */
export type Ending = Refusal & { status?: number };

/** One way to call a method: over gRPC, or by one of its routes. */
export type Way = {
  /** Of the gRPC method, or of the route as the API's description has it. */
  name: string;
  /** Of the method. */
  key: string;
  /** That it needs, as its row says. */
  scope: Scope;
  /** One that succeeds for the owner of the ids. */
  request(ids: Ids): JsonObject;
  /** Fields of the request that are ids. */
  idFields: readonly (keyof Ids)[];
  ask(wire: Wire, request: JsonObject): Promise<Ending>;
  /** Sends bytes that are no request in place of the message, or of the query and the body. */
  askGarbage(wire: Wire, request: JsonObject): Promise<Ending>;
};

export const descriptors = readDescriptors(readFileSync(join(BUILD, 'descriptors.binpb')));
/** Every method of the public API, and every route, in the order of their requests. */
export const METHODS: readonly Way[] = inOrder(PUBLIC_METHODS.map(overGrpc));
export const ROUTES: readonly Way[] = inOrder(readBindings(descriptors, readContract(descriptors)).map(overHttp));

const NO_MESSAGE = Buffer.from([0xff, 0xff, 0xff]);
const NO_JSON = '{{{';
const NO_QUERY = '?%zz';

function inOrder(ways: Way[]): Way[] {
  const order = Object.keys(ROWS);
  return ways.toSorted((a, b) => order.indexOf(a.key) - order.indexOf(b.key));
}

/** The body of a request whose data is sent as it is. */
function bytesOf({ data }: JsonObject): Buffer {
  return Buffer.from(typeof data === 'string' ? data : 'eA==', 'base64');
}

function rowOf({ key, service }: PublicMethod): Pick<Way, 'scope' | 'request' | 'idFields'> {
  const row = (ROWS as Record<string, Row>)[key];
  if (!row) throw new Error(`the authorization matrix has no row for ${service.fullName}/${key}`);
  const [scope, request, named] = row;
  const isIdField = (name: string): name is keyof Ids => name in UNKNOWN_IDS;
  return { scope, request, idFields: named ?? Object.keys(request(UNKNOWN_IDS)).filter(isIdField) };
}

function overGrpc(method: PublicMethod): Way {
  const name = methodPath(method.service, method.method).slice(1);
  return {
    name,
    key: method.key,
    ...rowOf(method),
    ask: (wire, request) => wire.grpcBytes(name, messageOf(name, request)),
    askGarbage: (wire) => wire.grpcBytes(name, NO_MESSAGE),
  };
}

function overHttp({ verb, template, method, descriptor, body }: Binding): Way {
  const { fields } = descriptor.input;
  const path = template.source.replaceAll(
    /\{(\w+)[^}]*\}/g,
    (_, name) => `{${fields.find((field) => field.name === name)!.jsonName}}`,
  );
  const asked = (request: JsonObject) => httpRequest([verb, path], request);
  return {
    name: `${verb} ${path}`,
    key: method.key,
    ...rowOf(method),
    ask(wire, request) {
      const { target, body: json } = asked(request);
      return wire.httpBytes([verb, target], isRaw(body) ? bytesOf(request) : json);
    },
    askGarbage(wire, request) {
      const [target] = asked(request).target.split('?');
      return wire.httpBytes([verb, `${target}${NO_QUERY}`], body && NO_JSON);
    },
  };
}

import { type DescExtension, type DescField, type DescMethod, getOption, ScalarType } from '@bufbuild/protobuf';
import type { Contract } from '../contract.ts';
import type { Descriptors } from '../descriptors.ts';
import { PUBLIC_METHODS, type PublicMethod } from '../owners.ts';
import { type PathTemplate, parsePathTemplate } from './path-template.ts';

/** One HTTP route, as an annotation says. */
export type Binding = {
  verb: string;
  template: PathTemplate;
  method: PublicMethod;
  descriptor: DescMethod;
  /** The field that the body is, or `*` for the whole message but what the path holds. */
  body: DescField | '*' | undefined;
  /** The field that the answer is. Default: the whole message. */
  responseBody: DescField | undefined;
};

type HttpRule = {
  pattern: { case: string | undefined; value?: unknown };
  body: string;
  responseBody: string;
  additionalBindings: HttpRule[];
};

/** Every route of the public API. Throws where a method has no annotation, or one that this server cannot serve. */
export function readBindings({ registry }: Descriptors, contract: Contract): Binding[] {
  const annotation = registry.getExtension('google.api.http');
  if (!annotation) throw new Error('the descriptors lack google/api/annotations.proto');
  return PUBLIC_METHODS.flatMap((method) => {
    const { descriptor } = contract.of(method);
    const rule = getOption<DescExtension, DescMethod>(descriptor, annotation) as unknown as HttpRule | undefined;
    if (!rule?.pattern.case) throw new Error(`${descriptor} has no google.api.http annotation`);
    return [rule, ...rule.additionalBindings].map((each) => toBinding(each, method, descriptor));
  });
}

function toBinding({ pattern, body, responseBody }: HttpRule, method: PublicMethod, descriptor: DescMethod): Binding {
  const { input, output } = descriptor;
  const fieldOf = (message: typeof input, name: string) => {
    const field = message.fields.find((field) => field.name === name);
    if (!field) throw new Error(`${descriptor}: ${message} has no field ${name}`);
    return field;
  };
  const binding: Binding = {
    verb: pattern.case!.toUpperCase(),
    template: parsePathTemplate(String(pattern.value)),
    method,
    descriptor,
    body: body === '*' ? '*' : body ? fieldOf(input, body) : undefined,
    responseBody: responseBody ? fieldOf(output, responseBody) : undefined,
  };
  if (method.method.requestStream && !isRaw(binding.body))
    throw new Error(`${descriptor}: a stream of requests needs a body of type bytes`);
  return binding;
}

/** Whether a body is the raw bytes of a field rather than JSON. */
export function isRaw(body: Binding['body']): body is DescField & { scalar: ScalarType.BYTES } {
  return typeof body === 'object' && body.fieldKind === 'scalar' && body.scalar === ScalarType.BYTES;
}

import { Document, type Scalar, visit } from 'yaml';
import { isPrintable, printableJson } from './printable.ts';

/** YAML whose texts hold nothing that a terminal acts on: such a text is quoted, with the escapes that JSON has too. */
export function toYaml(value: object): string {
  // As JSON shows it: dates as text, and without what is undefined.
  const document = new Document(JSON.parse(JSON.stringify(value)));
  visit(document, {
    Scalar(_, node: Scalar) {
      if (typeof node.value === 'string' && !isPrintable(node.value)) node.type = 'QUOTE_DOUBLE';
    },
  });
  return printableJson(document.toString({ lineWidth: 0 }));
}

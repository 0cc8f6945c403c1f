import { isAlias, isMap, isScalar, isSeq, type ParsedNode, type YAMLMap, type YAMLSeq } from 'yaml';

/** A path from the root of a document: keys of mappings and indices of lists. */
export type Path = readonly (string | number)[];

/** Deeper than any configuration, and shallow enough for every recursion over the data. */
const MOST_DEPTH = 32;

/** Takes what cannot be data, and the path at which it would have been. */
type Complain = (node: ParsedNode, path: Path, reason: string) => void;

/**
 * The tree of a document as plain data: mappings without a prototype, arrays, scalars. What was complained of
 * is null; of a key that is there twice the last value counts.
 */
export function toData(root: ParsedNode | null, complain: Complain): unknown {
  const anchored = new Map<string, unknown>();
  const visit = (node: ParsedNode | null, path: Path): unknown => {
    if (node === null) return null;
    if (path.length > MOST_DEPTH) {
      complain(node, [], `is nested deeper than ${MOST_DEPTH} levels`);
      return null;
    }
    if (isAlias(node)) {
      if (anchored.has(node.source)) return anchored.get(node.source);
      complain(node, path, `no anchor &${node.source} before this; text that begins with * needs quotes`);
      return null;
    }
    const value = isMap(node) ? mapping(node, path) : isSeq(node) ? list(node, path) : node.value;
    // Known only from here on: an alias inside its own anchor is an error, never a loop.
    if (node.anchor !== undefined) anchored.set(node.anchor, value);
    return value;
  };
  const mapping = (node: YAMLMap.Parsed, path: Path): object => {
    const values: Record<string, unknown> = Object.create(null);
    for (const pair of node.items) {
      const name = keyText(pair.key);
      if (Object.hasOwn(values, name)) complain(pair.key, [...path, name], 'is there twice');
      values[name] = visit(pair.value, [...path, name]);
    }
    return values;
  };
  const list = (node: YAMLSeq.Parsed, path: Path): unknown[] =>
    node.items.map((item, index) => visit(item as ParsedNode, [...path, index]));
  return visit(root, []);
}

/** With `stringKeys` whatever is no scalar has been reported by the parser; the text is of no use then. */
export function keyText(key: ParsedNode): string {
  return isScalar(key) ? String(key.value) : '';
}

import { isMap, isSeq, type ParsedNode, type YAMLMap, type YAMLSeq } from 'yaml';
import { keyText, type Path } from './yaml-data.ts';

/** Offsets of the first character and of the one after the last. */
export type Span = readonly [start: number, end: number];

export function spanOf(node: ParsedNode | null, otherwise: Span): Span {
  return node === null ? otherwise : [node.range[0], node.range[1]];
}

/**
 * Finds where a key, or the value at it, stands in a document; of what is not there, where that which would hold
 * it stands. An alias is where it is used. Each call takes the same time, however long the document is.
 */
export function spanFinder(root: ParsedNode | null, whole: Span) {
  const indices = new Map<YAMLMap.Parsed, Map<string, Pair>>();
  const pairAt = (node: YAMLMap.Parsed, name: string | number): Pair | undefined => {
    const index = indices.get(node) ?? new Map(node.items.map((pair) => [keyText(pair.key), pair]));
    indices.set(node, index);
    return index.get(String(name));
  };
  return (path: Path, what: 'key' | 'value'): Span => {
    let node = root;
    let span = spanOf(root, whole);
    for (const [index, step] of path.entries()) {
      if (isMap(node)) {
        const pair = pairAt(node as YAMLMap.Parsed, step);
        if (pair === undefined) return span;
        const key = spanOf(pair.key, span);
        span = what === 'key' && index === path.length - 1 ? key : spanOf(pair.value, key);
        node = pair.value;
      } else if (isSeq(node)) {
        node = ((node as YAMLSeq.Parsed).items[Number(step)] ?? null) as ParsedNode | null;
        span = spanOf(node, span);
      } else return span;
    }
    return span;
  };
}

type Pair = YAMLMap.Parsed['items'][number];

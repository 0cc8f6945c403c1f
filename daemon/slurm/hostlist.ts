/** More nodes than any cluster has. A longer expansion is an error, so that it cannot exhaust the memory. */
export const MOST_HOSTS = 65_536;

export type Hostlist =
  | { readonly ok: true; readonly hosts: string[] }
  | { readonly ok: false; readonly message: string };

/**
 * Expands a Slurm hostlist (`n[1-3,07-09],gpu1`) into names, in the order in which `scontrol show hostnames` has
 * them. The first bracket of a name turns slowest; zeros are padded to the width of a range's lower bound. An
 * empty text is an empty list. Any other bytes than those of node names make the list malformed.
 */
export function expandHostlist(text: string, most = MOST_HOSTS): Hostlist {
  const hosts: string[] = [];
  if (text === '') return { ok: true, hosts };
  for (const item of splitItems(text)) {
    const names = expandItem(item, most - hosts.length);
    if (typeof names === 'string') return { ok: false, message: names };
    hosts.push(...names);
  }
  return { ok: true, hosts };
}

/** Splits at the commas between items, not at those between ranges. */
function splitItems(text: string): string[] {
  const items: string[] = [];
  let start = 0;
  let isInside = false;
  for (let i = 0; i <= text.length; i++) {
    const character = text[i];
    if (character === '[') isInside = true;
    else if (character === ']') isInside = false;
    else if (character === undefined || (character === ',' && !isInside)) {
      items.push(text.slice(start, i));
      start = i + 1;
    }
  }
  return items;
}

/** The names, or what is wrong. */
function expandItem(item: string, most: number): string[] | string {
  const pieces = item.split(/\[([^[\]]*)\]/);
  let names = [''];
  for (const [index, piece] of pieces.entries()) {
    const isRanges = index % 2 === 1;
    if (!isRanges && !/^[A-Za-z0-9._-]*$/.test(piece)) return `malformed hostlist ${quote(item)}`;
    const endings = isRanges ? expandRanges(piece, most) : [piece];
    if (typeof endings === 'string') return `${endings} in hostlist ${quote(item)}`;
    if (names.length * endings.length > most) return `more than ${most} names in hostlist ${quote(item)}`;
    if (endings.length === 1) names = names.map((name) => name + endings[0]);
    else names = names.flatMap((name) => endings.map((ending) => name + ending));
  }
  return names[0] === '' ? `an empty name in hostlist ${quote(item)}` : names;
}

function expandRanges(ranges: string, most: number): string[] | string {
  const numbers: string[] = [];
  for (const range of ranges.split(',')) {
    const bounds = /^(\d{1,15})(?:-(\d{1,15}))?$/.exec(range);
    if (!bounds) return `malformed range ${quote(range)}`;
    const [, low = '', high = low] = bounds;
    const count = Number(high) - Number(low) + 1;
    if (count < 1) return `range ${quote(range)} runs backwards`;
    if (numbers.length + count > most) return `more than ${most} names`;
    for (let i = 0; i < count; i++) numbers.push(String(Number(low) + i).padStart(low.length, '0'));
  }
  return numbers;
}

const quote = (text: string): string => JSON.stringify(text.slice(0, 100));

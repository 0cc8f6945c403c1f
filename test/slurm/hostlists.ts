import fc from 'fast-check';

const digits = fc.stringMatching(/^[0-9]{1,4}$/);
const range = fc
  .tuple(digits, fc.option(fc.nat(12)))
  .map(([low, more]) => (more === null ? low : `${low}-${Number(low) + more}`));
const brackets = fc.array(range, { minLength: 1, maxLength: 3 }).map((ranges) => `[${ranges.join(',')}]`);
export const word = fc.stringMatching(/^[a-z][a-z.-]{0,5}$/);
const item = fc
  .tuple(word, fc.array(fc.oneof(word, brackets), { maxLength: 2 }))
  .map((parts) => parts.flat().join(''));
/** Lists as Slurm and its users write them. */
export const list = fc.array(item, { minLength: 1, maxLength: 4 }).map((items) => items.join(','));

/** A table for people: two blanks of margin, the first column and what is no figure to the left, the rest right. */
export function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [columns, ...rows];
  const widths = columns.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  const right = columns.map((_, i) => i > 0 && rows.every((row) => isFigure(row[i] ?? '')));
  const line = (row: readonly string[]) =>
    `  ${widths.map((w, i) => (right[i] ? (row[i] ?? '').padStart(w) : (row[i] ?? '').padEnd(w))).join('  ')}`.trimEnd();
  return [line(columns), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

const isFigure = (text: string): boolean =>
  text === '' || text === '–' || /^[<≈]? ?-?[\d.,]+ ?[%×]?$/.test(text);

/** Three digits that mean something: 0.0123, 1.23, 12.3, 1,234. */
export function figure(value: number): string {
  if (value === 0) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString('en', { maximumFractionDigits: Math.min(digits, 6) });
}

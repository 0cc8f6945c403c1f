import { figure, table } from './table.ts';

export interface Verdict {
  readonly section: string;
  readonly what: string;
  readonly goal: string;
  readonly measured: string;
  readonly met: boolean;
}

/** Where a section writes what it found; it is printed at once. */
export class Report {
  readonly verdicts: Verdict[] = [];
  readonly #section: string;

  constructor(section: string, title: string) {
    this.#section = section;
    console.log(`\n${section}: ${title}\n${'='.repeat(section.length + 2 + title.length)}`);
  }

  say(text: string): void {
    console.log(text);
  }

  table(columns: readonly string[], rows: readonly (readonly string[])[]): void {
    console.log(`\n${table(columns, rows)}\n`);
  }

  /** The goal is a greatest value, or a least one. */
  goal(what: string, measured: number, limit: { atMost: number } | { atLeast: number }, unit: string): void {
    const most = 'atMost' in limit;
    const met = most ? measured <= limit.atMost : measured >= limit.atLeast;
    const goal = `${most ? '≤' : '≥'} ${figure(most ? limit.atMost : limit.atLeast)} ${unit}`;
    const verdict = { section: this.#section, what, goal, measured: `${figure(measured)} ${unit}`, met };
    this.verdicts.push(verdict);
    console.log(`  ${met ? 'MET   ' : 'MISSED'}  ${what}: ${verdict.measured} (goal ${goal})`);
  }
}

export interface Section {
  readonly name: string;
  readonly title: string;
  run(report: Report): Promise<void>;
}

export function printVerdicts(verdicts: readonly Verdict[]): void {
  console.log('\nGoals\n=====');
  const rows = verdicts.map((v) => [v.section, v.what, v.measured, v.goal, v.met ? 'met' : 'MISSED']);
  console.log(`\n${table(['section', 'what', 'measured', 'goal', ''], rows)}`);
}

/** What happens, line by line, each with the seconds since the start and who did it. */
export class Timeline {
  readonly #start = performance.now();
  readonly #print: (line: string) => void;

  constructor(print: (line: string) => void = (line) => console.log(line)) {
    this.#print = print;
  }

  heading(text: string): void {
    this.#print(`\n── ${text} ${'─'.repeat(Math.max(0, 92 - text.length))}`);
  }

  say(who: string, what: string): void {
    const seconds = ((performance.now() - this.#start) / 1000).toFixed(1).padStart(5);
    const [first = '', ...rest] = what.split('\n');
    this.#print(`${seconds} s  ${who.padEnd(12)} ${first}`);
    for (const line of rest) this.#print(`${' '.repeat(22)}${line}`);
  }
}

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const unit = () => readFileSync(join(import.meta.dirname, '../../systemd/ckptd.service'), 'utf8');

/** What the unit tells Node on its command line. */
export function unitFlags(): string[] {
  const words = /^ExecStart=(.*?)\/usr\/lib\/ckptd\/ckptd\.mjs/ms.exec(unit())?.[1];
  if (words === undefined) throw new Error('ckptd.service has no ExecStart as it is known here');
  return words.split(/[\s\\]+/).filter((word) => word.startsWith('--'));
}

/** What it tells it in the environment. */
export const UNIT_ENV: Readonly<Record<string, string>> = Object.fromEntries(
  (/^Environment=(.*)$/m.exec(unit())?.[1] ?? '')
    .split(' ')
    .map((pair) => pair.split('=') as [string, string]),
);

import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { asOwner } from '../../../../daemon/engine/owner/as-owner.ts';
import type { Owner } from '../../../../daemon/engine/owner/owner.ts';
import type { Answer, Operation } from '../../../../daemon/engine/owner/protocol.ts';
import { Lanes } from '../../../../daemon/system/lanes.ts';
import { systemExec } from '../../../../daemon/system/process/exec.ts';

/** Nobody's ids: no account is needed to own files. */
export const OWNER: Owner = { uid: 61_234, gid: 61_235, groups: [61_236] };
export const STRANGER: Owner = { uid: 61_240, gid: 61_241, groups: [] };
export const TAG = 'ckptd-7.2';
export const isRoot = process.getuid?.() === 0;
export const PROGRAM = resolve(import.meta.dirname, '../../../../daemon/engine/owner/program/main.ts');

/** The real program, as the engine runs it. */
export const act = asOwner(systemExec(), new Lanes(), PROGRAM);

/** A folder of the owner's, gone after the test. */
export class Folder implements Disposable {
  readonly path: string;
  readonly #owner: Owner;

  constructor(owner: Owner = OWNER) {
    this.#owner = owner;
    this.path = mkdtempSync(join(tmpdir(), 'ckptd-as-owner-'));
    chownSync(this.path, owner.uid, owner.gid);
  }

  at(name: string): string {
    return join(this.path, name);
  }

  /** A file of the folder's owner, or another's; its path. */
  file(name: string, text: string, owner: Owner = this.#owner): string {
    const path = this.at(name);
    writeFileSync(path, text);
    chownSync(path, owner.uid, owner.gid);
    return path;
  }

  text(name: string): string {
    return readFileSync(this.at(name), 'utf8');
  }

  names(): string[] {
    return readdirSync(this.path).sort();
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export function inoOf(path: string): string {
  return String(statSync(path, { bigint: true }).ino);
}

/** By the owner. */
export function doIt(...operations: readonly Operation[]): Promise<Answer> {
  return act(OWNER, operations);
}

#!/usr/bin/env node
// ckptd-as-owner: does what the engine asks on stdin to files of a job, with the rights of the job's owner.
import { readFileSync } from 'node:fs';
import { become } from './become.ts';
import { forget } from './forget.ts';
import { identify } from './identify.ts';
import { mergeBack } from './merge-back.ts';
import type { Answer, Operation, Request } from './protocol.ts';
import { putBack } from './put-back.ts';
import { Refused } from './refused.ts';
import { rollBack } from './roll-back.ts';
import { setAside } from './set-aside.ts';

function perform(operation: Operation): string[] {
  switch (operation.op) {
    case 'set-aside':
      return setAside(operation);
    case 'put-back':
      return putBack(operation);
    case 'merge-back':
      return mergeBack(operation);
    case 'forget':
      return forget(operation);
    case 'roll-back':
      return rollBack(operation);
    case 'identify':
      return identify(operation);
  }
}

function answer(request: Request): Answer {
  try {
    return { ok: true, notes: request.operations.flatMap(perform) };
  } catch (error) {
    if (error instanceof Refused) return { ok: false, message: error.message };
    throw error;
  }
}

const request = JSON.parse(readFileSync(0, 'utf8')) as Request;
become(request);
process.stdout.write(JSON.stringify(answer(request)));

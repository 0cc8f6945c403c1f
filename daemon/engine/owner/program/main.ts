#!/usr/bin/env node
import type { Answer, Identity, Operation } from '../protocol.ts';
// ckptd-as-owner: does what the engine asks on stdin to files of a job, with the rights of the job's owner. It ends
// with its input, and so with the engine.
import { become } from './become.ts';
import { forget } from './forget.ts';
import { linesOf, writeLine } from './lines.ts';
import { mergeBack } from './merge-back.ts';
import { othersAside } from './others-aside.ts';
import { putBack } from './put-back.ts';
import { Busy, Refused } from './refused.ts';
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
    case 'others-aside':
      return othersAside(operation);
  }
}

function answer(operations: readonly Operation[]): Answer {
  try {
    return { ok: true, notes: operations.flatMap(perform) };
  } catch (error) {
    if (error instanceof Busy) return { ok: false, message: error.message, busy: true };
    if (error instanceof Refused) return { ok: false, message: error.message };
    throw error;
  }
}

const lines = linesOf(0);
const first = lines.next();
if (!first.done) {
  become(JSON.parse(first.value) as Identity);
  for (const line of lines) writeLine(1, JSON.stringify(answer(JSON.parse(line) as Operation[])));
}

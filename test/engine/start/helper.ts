import { join } from 'node:path';
import { identifier } from '../../../daemon/engine/start/held.ts';
import { Lanes } from '../../../daemon/system/lanes.ts';
import { systemExec } from '../../../daemon/system/process/exec.ts';
import { make, scratch } from '../../hooks/native.ts';
import { isRoot } from '../as-owner/support.ts';

const out = scratch();
process.on('exit', () => out[Symbol.dispose]());
// Nobody else can become an owner.
if (isRoot) make('criu', { OUT: out.path });

/** The real ckptd-criu. */
export const HELPER = join(out.path, 'ckptd-criu');
export const identify = identifier(systemExec(), new Lanes(), HELPER);

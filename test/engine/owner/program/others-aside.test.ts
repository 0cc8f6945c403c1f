import { renameSync } from 'node:fs';
import { expect, test } from 'vitest';
import { doIt, Folder, inoOf, isRoot, TAG } from './support.ts';

const asRoot = test.runIf(isRoot);
const OK = { ok: true, notes: [] };

asRoot(
  'a job that is on its way back with a common file is in the way of others, not of itself',
  async () => {
    using folder = new Folder();
    const path = folder.file('all.log', 'lines');
    const files = [{ path, ino: inoOf(path) }];
    const look = (tag = TAG) => doIt({ op: 'others-aside', tag, files });
    const isBusy = (hidden: string) => ({
      ok: false,
      busy: true,
      message: `job 9 is on its way back with ${path}, and has ${folder.at(hidden)} there`,
    });
    expect(await look()).toEqual(OK);
    // Of another file, and of another run of its own.
    for (const name of ['.all.log.ckptd-9.3', '.err.ckptd-9.3', `.all.log.ckptd-7.1`, '.all.log.ckptd-x.1'])
      folder.file(name, '');
    expect(await look()).toEqual(OK);
    renameSync(path, folder.at('.all.log.ckptd-9.3'));
    expect(await look()).toEqual(isBusy('.all.log.ckptd-9.3'));
    // Slurmstepd's own is there, and then the output again; CRIU has it still to open.
    folder.file('all.log', '');
    expect(await look()).toEqual(isBusy('.all.log.ckptd-9.3'));
    renameSync(path, folder.at('.all.log.ckptd-9.3.new'));
    renameSync(folder.at('.all.log.ckptd-9.3'), path);
    expect(await look()).toEqual(isBusy('.all.log.ckptd-9.3.new'));
    expect(await look('ckptd-9.4')).toEqual(OK);
  },
);

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A private certificate authority that openssl made a moment ago, and a server certificate from it. */
export interface Authority extends AsyncDisposable {
  /** PEM file of the authority, for `caFile`. */
  readonly caFile: string;
  readonly key: string;
  readonly cert: string;
}

/** `names` go into the certificate: `DNS:localhost`, `IP:127.0.0.1`. */
export async function createAuthority(names: readonly string[]): Promise<Authority> {
  const dir = await mkdtemp(join(tmpdir(), 'ckptd-ca-'));
  const file = (name: string) => join(dir, name);
  const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  // prettier-ignore
  await run('openssl', [
    ...['req', '-x509', ...fresh, '-keyout', file('ca.key'), '-out', file('ca.pem'), '-subj', '/CN=Test CA'],
    ...['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign'],
  ]);
  await run('openssl', [
    ...['req', '-x509', ...fresh, '-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-subj', '/CN=stand-in'],
    ...['-keyout', file('server.key'), '-out', file('server.pem')],
    ...['-addext', `subjectAltName=${names.join(',')}`, '-addext', 'basicConstraints=critical,CA:FALSE'],
  ]);
  return {
    caFile: file('ca.pem'),
    key: await readFile(file('server.key'), 'utf8'),
    cert: await readFile(file('server.pem'), 'utf8'),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true }),
  };
}

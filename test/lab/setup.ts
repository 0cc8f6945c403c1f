/** Installs what the lab and the checks need on this machine itself: `node test/lab/setup.ts`, as root. */

import { baseRoot } from './base.ts';
import { exec } from './exec.ts';

const hostPackages = [
  // The lab.
  'debootstrap',
  'iproute2',
  'systemd-container',
  'tar',
  'util-linux',
  // The hooks' clients and shells, and what checks them.
  'busybox',
  'curl',
  'perl-base',
  'python3-minimal',
  'shellcheck',
  // The hooks in C, and what looks at the result.
  'binutils',
  'gcc',
  'libc6-dev',
  'make',
  // File systems that are full or read-only, and a private CA.
  'e2fsprogs',
  'openssl',
];

async function missingPackages(): Promise<string[]> {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own format
  const format = '${db:Status-Status} ${Package}\n';
  const known = await exec('dpkg-query', ['-W', '-f', format, ...hostPackages], { reject: false });
  const installed = new Set(known.stdout.split('\n'));
  return hostPackages.filter((name) => !installed.has(`installed ${name}`));
}

const missing = await missingPackages();
if (missing.length > 0) {
  console.log(`installing ${missing.join(' ')}`);
  const options = {
    stdout: 'inherit',
    stderr: 'inherit',
    env: { DEBIAN_FRONTEND: 'noninteractive' },
  } as const;
  await exec('apt-get', ['update', '-q'], options);
  await exec('apt-get', ['install', '-q', '-y', '--no-install-recommends', ...missing], options);
} else {
  console.log(`already installed: ${hostPackages.join(' ')}`);
}
console.log(`root file system of the nodes: ${await baseRoot()}`);

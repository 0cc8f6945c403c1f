import { exec } from './exec.ts';
import { LabError } from './lab-error.ts';

export interface Mirror {
  /** Base URL of a Debian archive, without a suite. */
  uri: string;
  /** What apt would go through, as the environment variable that debootstrap's wget reads. */
  env: { http_proxy?: string };
}

/**
 * The Debian mirror that this machine's apt is set to. Throws LabError if apt knows of none (its lists may be
 * missing: `apt-get update`).
 */
export async function debianMirror(): Promise<Mirror> {
  const format = '$(ORIGIN)|$(LABEL)|$(REPO_URI)';
  const targets = await exec('apt-get', ['indextargets', '--format', format, 'Created-By: Packages']);
  const uri = targets.stdout
    .split('\n')
    .map((line) => line.split('|'))
    .find(([origin, label]) => origin === 'Debian' && label === 'Debian')?.[2];
  if (!uri) throw new LabError("apt's sources name no Debian mirror, or `apt-get update` has never been run");
  const proxy = await exec('apt-config', ['shell', 'proxy', 'Acquire::http::Proxy']);
  const http_proxy = /^proxy='(.*)'$/m.exec(proxy.stdout)?.[1];
  return { uri, env: http_proxy ? { http_proxy } : {} };
}

import { readFile } from 'node:fs/promises';
import type { SecureContext } from 'node:tls';
import type { Environment } from './proxy.ts';

/** The certificate authorities that the API, and a proxy spoken to over TLS, are checked against. */
export interface Trust {
  /** @throws TrustError when `caFile` cannot be read or holds no certificate. */
  context(): Promise<SecureContext>;
  /** After a failed handshake: an administrator may have put a new authority in place by the next attempt. */
  forget(): void;
}

export class TrustError extends Error {
  override readonly name = 'TrustError';
  /** Counted with what OpenSSL says of certificates. */
  readonly code = 'ERR_TLS_CA_FILE';
}

/**
 * Where distributions keep all their authorities in one file (Debian, RHEL, SUSE, Alpine). Read by ourselves,
 * since `tls.getCACertificates('system')` reads every hashed duplicate too: 6 MB resident against 1 MB.
 */
const SYSTEM_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** The system's authorities (else those that Node brings), and those of the PEM file `caFile`. */
export function createTrust(caFile: string | null, env: Environment): Trust {
  let cached: Promise<SecureContext> | null = null;
  return {
    context() {
      cached ??= load(caFile, env);
      cached.catch(() => {
        cached = null;
      });
      return cached;
    },
    forget() {
      cached = null;
    },
  };
}

async function load(caFile: string | null, env: Environment): Promise<SecureContext> {
  const { createSecureContext, rootCertificates } = await import('node:tls');
  const bundle = await systemBundle(env);
  const authorities: (string | Buffer)[] = bundle === null ? [...rootCertificates] : [bundle];
  if (caFile !== null) {
    const pem = await readFile(caFile).catch((cause: NodeJS.ErrnoException) => {
      throw new TrustError(`${caFile} cannot be read (${cause.code})`, { cause });
    });
    if (!pem.includes('-----BEGIN CERTIFICATE-----')) throw new TrustError(`${caFile} holds no certificate`);
    authorities.push(pem);
  }
  return createSecureContext({ ca: authorities, minVersion: 'TLSv1.2' });
}

async function systemBundle(env: Environment): Promise<Buffer | null> {
  for (const path of [env['SSL_CERT_FILE'], ...SYSTEM_BUNDLES]) {
    if (path === undefined || path === '') continue;
    const pem = await readFile(path).catch(() => null);
    if (pem?.includes('-----BEGIN CERTIFICATE-----')) return pem;
  }
  return null;
}

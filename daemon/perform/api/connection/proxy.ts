import { type Endpoint, isLoopback } from './endpoint.ts';

/** An HTTP proxy that carries TLS connections for us (CONNECT). */
export interface HttpProxy {
  readonly host: string;
  readonly port: number;
  /** Whether the proxy itself is spoken to over TLS. */
  readonly tls: boolean;
  /** Value of `proxy-authorization`; null where the proxy's URL has no user. */
  readonly authorization: string | null;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy that the environment wants for this endpoint, or null. As in curl the lower-case names win, and
 * ALL_PROXY stands in. A unix socket and loopback never go through one, whatever the environment says: the
 * token would leave the machine.
 *
 * @throws TypeError for a proxy that is not http(s); the URL is not in the message, it may hold a password.
 */
export function proxyFor(endpoint: Endpoint, env: Environment): HttpProxy | null {
  const { target } = endpoint;
  // Plain http is always loopback.
  if (target.type === 'unix' || isLoopback(target.host)) return null;
  const text = env['https_proxy'] || env['HTTPS_PROXY'] || env['all_proxy'] || env['ALL_PROXY'] || '';
  if (text === '' || bypassed(target.host, target.port, env['no_proxy'] || env['NO_PROXY'] || ''))
    return null;
  const url = URL.parse(/^[a-z0-9]+:\/\//i.test(text) ? text : `http://${text}`);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new TypeError('the proxy in the environment is not an http or https URL');
  }
  const tls = url.protocol === 'https:';
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (tls ? 443 : 80) : Number(url.port),
    tls,
    authorization: url.username === '' ? null : basic(url.username, url.password),
  };
}

/** NO_PROXY: `*`, names that also cover their subdomains (a leading `.` or `*.` is ignored), each `[:port]`. */
function bypassed(host: string, port: number, noProxy: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, '');
  return noProxy
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => {
      const parts = /^(?:\[([^\]]+)\]|([^:]+)|(.*:.*:.*))(?::(\d+))?$/.exec(entry);
      if (parts === null) return false;
      const [, bracketed, plain, bare, entryPort] = parts;
      if (entryPort !== undefined && Number(entryPort) !== port) return false;
      const wanted = (bracketed ?? plain ?? bare ?? '').replace(/^\*?\./, '').replace(/\.$/, '');
      return wanted === '*' || name === wanted || name.endsWith(`.${wanted}`);
    });
}

/** The user and the password of a URL are percent-encoded; one that is not validly so is taken as it stands. */
function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${decode(user)}:${decode(password)}`).toString('base64')}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

import { isIP } from 'node:net';

/** Where the API is, taken apart. `origin` is what the Host header is made of. */
export interface Endpoint {
  readonly origin: string;
  /** Put before every route; empty, or `/prefix` without a slash at its end. */
  readonly basePath: string;
  readonly target:
    | { readonly type: 'unix'; readonly path: string }
    | { readonly type: 'tcp'; readonly host: string; readonly port: number; readonly tls: boolean };
}

/**
 * Takes `https://host[:port][/prefix]`, `http://` to loopback, or `unix:/absolute/path` apart. A slash or `/v1`
 * at the end is dropped, as Cedana's own tools do (facts/cedana-api.md). The configuration has been checked by
 * then: what fails here is a mistake in this program.
 *
 * @throws TypeError without the URL in its message, since a URL may hold a password.
 */
export function parseEndpoint(text: string): Endpoint {
  if (text.startsWith('unix:/')) {
    const path = text.slice('unix:'.length).replace(/^\/+/, '/');
    return { origin: 'http://localhost', basePath: '', target: { type: 'unix', path } };
  }
  const url = URL.parse(text);
  if (url === null) throw new TypeError('api.url is not a URL');
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new TypeError('api.url holds a user, a query or a fragment');
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const tls = url.protocol === 'https:';
  if (!tls && !(url.protocol === 'http:' && isLoopback(host))) {
    throw new TypeError('api.url is neither https, nor unix, nor http to loopback');
  }
  const port = url.port === '' ? (tls ? 443 : 80) : Number(url.port);
  const basePath = url.pathname.replace(/\/+$/, '').replace(/\/v1$/, '');
  return { origin: url.origin, basePath, target: { type: 'tcp', host, port, tls } };
}

/** Whether a host name or address without brackets can only be this machine. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

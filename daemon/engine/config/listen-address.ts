import { isIP } from 'node:net';
import type { Refusal } from '../../config/schema/api-url.ts';

/** `host:port`, `[v6]:port`; the host is a name or an address of this machine, `0.0.0.0` and `[::]` all of them. */
export function parseListen(text: string): { readonly host: string; readonly port: number } | Refusal {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || digits === undefined)
    return { refused: 'must be host:port such as 127.0.0.1:8043' };
  if (bracketed !== undefined && isIP(bracketed) !== 6)
    return { refused: 'has something else than an IPv6 address in [ ]' };
  if (bracketed === undefined && !/^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/.test(host)) {
    return { refused: 'has a host that is neither a name nor an address' };
  }
  const port = Number(digits);
  if (port < 1 || port > 65_535) return { refused: 'has a port that is not between 1 and 65535' };
  return { host, port };
}

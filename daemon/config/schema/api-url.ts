/** Where an API is, in the form that an HTTP client takes; the rest of the daemon never asks which it is. */
export interface ApiAddress {
  /** As people should see it: `https://host:port/path` or `unix:/path`. */
  readonly url: string;
  /** What a request's path is added to; no slash at its end. `http://localhost` for a Unix socket. */
  readonly base: string;
  /** Null for TCP. */
  readonly socketPath: string | null;
}

/** Why a text was refused, as a sentence that goes on after the key's name. */
export interface Refusal {
  readonly refused: string;
}

/** `sun_path` holds 108 bytes, the last of them NUL (unix(7)). */
export const MOST_SOCKET_PATH_BYTES = 107;

/**
 * Reads `https://host[:port][/path]`, `host` alone (https is meant, as in Cedana's own tools) or `unix:/path`.
 * A `/` or `/v1` at the end is dropped: Cedana's tools accept both. No reason repeats the text, for people
 * paste URLs with passwords.
 */
export function parseApiUrl(text: string): ApiAddress | Refusal {
  if (/[\s\p{Cc}]/u.test(text)) return { refused: 'must not hold blanks or control characters' };
  return /^unix:/i.test(text) ? parseSocket(text.slice('unix:'.length)) : parseHttp(text);
}

function parseSocket(rest: string): ApiAddress | Refusal {
  // `unix:///path` is the form that other tools print.
  const path = rest.replace(/^\/\/\//, '/');
  if (!/^\/[^/]/.test(path)) return { refused: 'must be unix:/absolute/path' };
  if (Buffer.byteLength(path) > MOST_SOCKET_PATH_BYTES) {
    return { refused: `must not be longer than ${MOST_SOCKET_PATH_BYTES} bytes after unix:` };
  }
  return { url: `unix:${path}`, base: 'http://localhost', socketPath: path };
}

function parseHttp(text: string): ApiAddress | Refusal {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== 'https' && scheme !== 'http') {
    return { refused: 'must be https://host or unix:/absolute/path' };
  }
  const url = parseWebUrl(scheme === undefined ? `https://${text}` : text);
  if ('refused' in url) return url;
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    return {
      refused: 'must be https: plain http is for loopback only, for the token would be readable on the way',
    };
  }
  const path = url.pathname.replace(/\/+$/, '').replace(/\/v1$/, '').replace(/\/+$/, '');
  return { url: url.origin + path, base: url.origin + path, socketPath: null };
}

/** An http or https URL that is an address and nothing else. */
function parseWebUrl(text: string): URL | Refusal {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) return { refused: 'is not a URL' };
  if (url.username !== '' || url.password !== '') return { refused: 'must not hold a user or a password' };
  if (/[?#]/.test(text)) return { refused: 'must not hold a query or a fragment' };
  return url;
}

/** The base URL of a metadata service, without a slash at its end; plain http is the rule there. */
export function parseEndpoint(text: string): { readonly base: string } | Refusal {
  const url = parseWebUrl(text);
  return 'refused' in url ? url : { base: url.origin + url.pathname.replace(/\/+$/, '') };
}

/** Of a host as `URL` writes it: numbers are in dotted form there, so a name cannot look like one. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(\.\d+){3}$/.test(host);
}

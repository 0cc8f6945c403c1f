/** Why an exchange brought no answer; a label in counters. */
export type FailureKind =
  /** Nobody listens there, or no way leads there. */
  | 'refused'
  | 'dns'
  | 'tls'
  | 'proxy'
  | 'reset'
  | 'timeout'
  /** What came back is not HTTP. */
  | 'protocol'
  | 'other';

const KINDS: Readonly<Record<string, FailureKind>> = {
  ECONNREFUSED: 'refused',
  ENOENT: 'refused',
  EACCES: 'refused',
  EPERM: 'refused',
  ENETUNREACH: 'refused',
  ENETDOWN: 'refused',
  EHOSTUNREACH: 'refused',
  EHOSTDOWN: 'refused',
  EADDRNOTAVAIL: 'refused',
  ENOTFOUND: 'dns',
  ETIMEDOUT: 'timeout',
  ECONNRESET: 'reset',
  ECONNABORTED: 'reset',
  EPIPE: 'reset',
  UND_ERR_SOCKET: 'reset',
  UND_ERR_HEADERS_OVERFLOW: 'protocol',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'protocol',
};

/** Codes of which there are many: OpenSSL's, the resolver's, the HTTP parser's. The first match wins. */
const PATTERNS: readonly (readonly [RegExp, FailureKind])[] = [
  [/^(ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|CRL_|UNABLE_TO_|EPROTO$|HOSTNAME_MISMATCH)/, 'tls'],
  [/SELF_SIGNED|SIGNATURE_FAILURE|INVALID_CA|PATH_LENGTH_EXCEEDED|INVALID_PURPOSE/, 'tls'],
  [/^EAI_/, 'dns'],
  [/^HPE_/, 'protocol'],
];

export function failureKind(error: unknown): FailureKind {
  if (error instanceof Error && error.name === 'ProxyError') return 'proxy';
  const code = errorCode(error);
  return KINDS[code] ?? PATTERNS.find(([pattern]) => pattern.test(code))?.[1] ?? 'other';
}

/** The error's `code`, or an empty string. */
export function errorCode(error: unknown): string {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' ? code : '';
}

/** What a route answers. */
export interface Reply {
  readonly status: number;
  /** An object goes out as JSON, a string as the text of `type`. */
  readonly body: object | string;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request that cannot be served: `{message, code, details?}`, the form of every error on this socket. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly details: object | undefined;

  constructor(
    status: number,
    code: string,
    message: string,
    more: { headers?: Readonly<Record<string, string>>; details?: object } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = more.headers ?? {};
    this.details = more.details;
  }
}

export function errorReply({ status, code, message, headers, details }: RequestError): Reply {
  return { status, headers, body: { message, code, ...(details && { details }) } };
}

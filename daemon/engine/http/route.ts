import type { IncomingMessage } from 'node:http';
import { readObject, readText } from '../../http/body.ts';
import { type Reply, RequestError } from '../../http/reply.ts';
import { findRoute, type RoutePlace } from '../../http/router.ts';

/** One request, taken apart. */
export interface EngineCall {
  /** What stood in the place of `:id`, decoded. */
  readonly id: string;
  readonly query: URLSearchParams;
  /** RequestError 400 when the body is not a JSON object; an empty one is `{}`. */
  json(): Promise<Readonly<Record<string, unknown>>>;
  text(): Promise<string>;
}

export interface EngineRoute extends RoutePlace {
  readonly method: 'GET' | 'POST' | 'PATCH';
  handle(call: EngineCall): Reply | Promise<Reply>;
}

/** Answers a request by the routes. @throws RequestError */
export async function answerBy(routes: readonly EngineRoute[], request: IncomingMessage): Promise<Reply> {
  const [pathname = '', query = ''] = (request.url ?? '').split('?', 2);
  const { route, id } = findRoute(routes, request.method ?? '', pathname);
  return route.handle({
    id,
    query: new URLSearchParams(query),
    json: () => readObject(request),
    text: () => readText(request),
  });
}

/** ApiError of the API's own text: `code` is the HTTP status, as a string. */
export function apiErrorReply({ status, message, headers, details }: RequestError): Reply {
  return { status, headers, body: { message, code: String(status), ...(details && { details }) } };
}

/** An error for the client, with the words of whoever refused. */
export function refusal(status: number, message: string): RequestError {
  return new RequestError(status, String(status), message);
}

export function ok(body: object): Reply {
  return { status: 200, body };
}

export function text(status: number, body: string): Reply {
  return { status, body, type: 'text/plain; charset=utf-8' };
}

import { RequestError } from './reply.ts';

/** What identifies a route. */
export interface RoutePlace {
  readonly method: string;
  /** Segments; `:id` matches any one. */
  readonly path: string;
}

/** The route of a request, and the decoded segment at `:id`. RequestError 404, 405 (with `Allow`) or 400. */
export function findRoute<Route extends RoutePlace>(
  routes: readonly Route[],
  method: string,
  pathname: string,
): { route: Route; id: string } {
  const segments = pathname.split('/');
  const there = routes.flatMap((route) => {
    const match = matchPath(route.path.split('/'), segments);
    return match === null ? [] : [{ route, id: match }];
  });
  if (there.length === 0) throw new RequestError(404, 'not-found', 'no such route');
  const found = there.find(({ route }) => route.method === method);
  if (found !== undefined) return { route: found.route, id: decode(found.id) };
  const allow = there.map(({ route }) => route.method).join(', ');
  throw new RequestError(405, 'method-not-allowed', `this route takes ${allow}`, {
    headers: { Allow: allow },
  });
}

/** The segment at `:id`, or '' if the pattern has none. Null if the path does not match. */
function matchPath(pattern: readonly string[], segments: readonly string[]): string | null {
  if (pattern.length !== segments.length) return null;
  let id = '';
  for (const [index, wanted] of pattern.entries()) {
    const segment = segments[index] ?? '';
    if (wanted === ':id') id = segment;
    else if (wanted !== segment) return null;
  }
  return id;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new RequestError(400, 'bad-url', 'the URL is not percent-encoded UTF-8');
  }
}

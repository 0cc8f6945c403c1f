import type { ServerResponse } from 'node:http';

/** A way in which a metadata service goes wrong. */
export type Fault =
  /** Takes the request and never answers. */
  | 'hang'
  /** Closes the connection without a word. */
  | 'reset'
  /** 200 with a page of somebody's web server. */
  | 'html'
  /** 200 with the first half of the true answer, as if that were all. */
  | 'half'
  /** 200 that ends before the length that it announced. */
  | 'broken-off'
  /** 200 with a body that is longer than any answer. */
  | 'huge'
  /** 200 with a body that never ends, a few bytes at a time. */
  | 'endless'
  /** 302 to an address of the same server: `/elsewhere`. */
  | 'redirect'
  /** 200 with nothing in it. */
  | 'empty'
  /** This status, with the error page that services have for it. */
  | number;

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const PAGE = '<!DOCTYPE html><html><head><title>Welcome</title></head><body>nginx</body></html>';

/** Whether it is the true answer that is spoilt. */
export function distorts(fault: Fault): boolean {
  return fault === 'half' || fault === 'broken-off' || fault === 'huge';
}

/** Answers wrongly; `truth` is what the service would have said. */
export function goWrong(fault: Fault, truth: Answer, response: ServerResponse): void {
  if (typeof fault === 'number') {
    response.writeHead(fault, { 'content-type': 'text/html' }).end(`<html>${fault}</html>`);
    return;
  }
  switch (fault) {
    case 'hang':
      return;
    case 'reset':
      response.socket?.resetAndDestroy();
      return;
    case 'html':
      response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE);
      return;
    case 'half':
      response.writeHead(200, truth.headers).end(truth.body.slice(0, Math.ceil(truth.body.length / 2)));
      return;
    case 'broken-off':
      response.writeHead(200, { ...truth.headers, 'content-length': String(truth.body.length + 10) });
      response.write(truth.body, () => response.socket?.destroy());
      return;
    case 'huge':
      response.writeHead(200, truth.headers).end(`${truth.body}${' '.repeat(1024 * 1024)}`);
      return;
    case 'endless': {
      response.writeHead(200);
      const drip = setInterval(() => response.write(' '), 5);
      response.on('close', () => clearInterval(drip));
      return;
    }
    case 'redirect':
      response.writeHead(302, { location: '/elsewhere' }).end();
      return;
    case 'empty':
      response.writeHead(200).end();
  }
}

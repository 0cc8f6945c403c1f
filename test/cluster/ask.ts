import type { LabNode } from '../lab/lab.ts';

export interface Ask {
  /** Of the Unix socket, in the node. */
  readonly socket: string;
  readonly path: string;
  readonly method?: string;
  /** Sent as JSON. */
  readonly body?: object;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** What a program of the node answers on its Unix socket. Rejects where it does not answer at all, within 60 s. */
export async function ask(node: LabNode, { socket, path, method = 'GET', body }: Ask): Promise<Answer> {
  const data =
    body === undefined ? [] : ['-H', 'content-type: application/json', '--data-binary', JSON.stringify(body)];
  const curl = ['curl', '-sS', '--max-time', '60', '--unix-socket', socket, '-X', method];
  const { stdout } = await node.run([...curl, '-w', '\n%{http_code}', ...data, `http://local${path}`]);
  const [text = '', status = ''] = stdout.split(/\n(?=\d+$)/);
  return { status: Number(status), text };
}

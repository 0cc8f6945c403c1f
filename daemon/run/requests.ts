import type { ManualAnswer } from '../sources/socket/handlers.ts';
import type { Reply } from '../vocabulary/decision.ts';

/** Socket requests that wait for the reply of `decide`. */
export interface Requests {
  /** Waits for the reply to this request. If the client hangs up, the wait ends; the work that it asked for goes on. */
  wait(requestId: string, signal: AbortSignal): Promise<ManualAnswer>;
  /** Passes a reply to its request, if that still waits: after a restart none does. */
  answer(reply: Reply): void;
}

const GONE: ManualAnswer = {
  status: 503,
  body: { message: 'ckptd stops; what was asked for is kept', code: 'stopping' },
};

export function createRequests(): Requests {
  const waiting = new Map<string, (answer: ManualAnswer) => void>();
  return {
    wait(requestId, signal) {
      return new Promise((resolve) => {
        const done = (answer: ManualAnswer) => {
          waiting.delete(requestId);
          signal.removeEventListener('abort', hungUp);
          resolve(answer);
        };
        const hungUp = () => done(GONE);
        waiting.set(requestId, done);
        signal.addEventListener('abort', hungUp, { once: true });
      });
    },
    answer: (reply) => waiting.get(reply.requestId)?.(asAnswer(reply)),
  };
}

function asAnswer(reply: Reply): ManualAnswer {
  if (reply.ok && 'noticeId' in reply)
    return { status: reply.created ? 201 : 200, body: { id: reply.noticeId } };
  if (reply.ok) return { status: 200, body: { action_id: reply.actionId } };
  return { status: reply.status, body: { message: reply.message, code: String(reply.status) } };
}

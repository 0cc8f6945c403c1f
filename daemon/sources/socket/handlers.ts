import type { CheckpointKind, JobOverride } from '../../vocabulary/job.ts';
import type { HookEnv } from './hook-body.ts';
import type { NoticeWish } from './notice-body.ts';

/** The answer to an administrator's request. */
export interface ManualAnswer {
  readonly status: number;
  readonly body: object;
}

/** The daemon's side of the socket. A rejection or a throw becomes a 500 and a line in the log. */
export interface SocketHandlers {
  /** Resolves once the event is in the journal. */
  prolog(hook: {
    readonly jobId: number;
    readonly restarts: number;
    readonly override: JobOverride;
    readonly env: HookEnv;
  }): Promise<void>;
  epilog(hook: { readonly jobId: number; readonly restarts: number; readonly env: HookEnv }): Promise<void>;
  /** `signal` fires when the client hangs up or the daemon stops. */
  checkpoint(jobId: number, kind: CheckpointKind | null, signal: AbortSignal): Promise<ManualAnswer>;
  restore(jobId: number, actionId: string | null, signal: AbortSignal): Promise<ManualAnswer>;
  /** 201 with the notice's id. */
  notice(wish: NoticeWish, signal: AbortSignal): Promise<ManualAnswer>;
  withdraw(noticeId: string, signal: AbortSignal): Promise<ManualAnswer>;
  notices(): object[];
  status(): object;
  jobs(): object[];
  history(query: { readonly jobId?: number; readonly limit: number }): object[];
  metrics(): string;
  healthy(): { readonly ok: boolean; readonly message: string };
}

import { setFlagsFromString } from 'node:v8';
import type { Client } from 'undici';

export type ClientConstructor = typeof Client;

let loading: Promise<ClientConstructor> | null = null;

/**
 * undici's bare HTTP/1.1 client, loaded at the first request. The whole package costs 28 MB resident, and a
 * daemon that only watches needs none of it.
 *
 * V8 would recompile the client's WebAssembly parser with its optimizing compiler within the first twenty
 * requests. That costs 11 to 23 MB for good (bundled: 75 to 87 MB against 63) and gains nothing at a few requests
 * a minute, so the budget that triggers it is put out of reach. `--liftoff-only` would say it plainer, but has no
 * effect once V8 is up.
 */
export function loadClient(): Promise<ClientConstructor> {
  loading ??= (async () => {
    setFlagsFromString('--wasm-tiering-budget=1000000000');
    const module = await import('undici/lib/dispatcher/client.js');
    return module.default;
  })();
  return loading;
}

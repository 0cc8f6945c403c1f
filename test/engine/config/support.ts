import { expect } from 'vitest';
import { ConfigError } from '../../../daemon/config/problem.ts';
import type { EngineConfig } from '../../../daemon/engine/config/config.ts';
import { parseEngineConfig } from '../../../daemon/engine/config/load.ts';

export const NEEDED = 'cluster_id: 0B7E6F1A-52b8-4a3c-9d5e-6f7a8b9c0d1e\ndir: /shared/ckptd\n';

/** Where `systemd/install` puts it. */
export const AS_OWNER = '/usr/lib/ckptd/ckptd-as-owner.mjs';

export function config(text: string, hostname = 'n1.example.com', asOwner = AS_OWNER): EngineConfig {
  return parseEngineConfig(text, { file: 'engine.yaml', hostname, asOwner });
}

/** The lines that a person would see; empty when the text is a configuration. */
export function problems(text: string, hostname = 'n1.example.com'): string[] {
  try {
    config(text, hostname);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message.split('\n');
  }
}

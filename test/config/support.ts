import { expect } from 'vitest';
import type { Config } from '../../daemon/config/config.ts';
import { parseConfig } from '../../daemon/config/load.ts';
import { ConfigError } from '../../daemon/config/problem.ts';

export const CLUSTER_ID = '0b7e6f1a-52b8-4a3c-9d5e-6f7a8b9c0d1e';

/** The two values that every configuration needs, so that a test's text holds only what it is about. */
export const COMPLETE = { CEDANA_URL: 'https://cedana.example.com', CEDANA_CLUSTER_ID: CLUSTER_ID };

export function config(text: string, env: object = COMPLETE, hostname = 'n1.example.com'): Config {
  return parseConfig(text, { file: 'ckptd.yaml', env, hostname });
}

/** The lines that a person would see; empty when the text is a configuration. */
export function problems(text: string, env: object = COMPLETE, hostname = 'n1.example.com'): string[] {
  try {
    config(text, env, hostname);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message.split('\n');
  }
}

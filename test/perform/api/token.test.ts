import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TokenError, tokenSource } from '../../../daemon/perform/api/token.ts';
import { createWorld, TOKEN } from './world.ts';

describe('the source', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'ckptd-token-'));
  });
  afterEach(() => rm(dir, { recursive: true }));

  const put = async (name: string, text: string, mode = 0o600) => {
    await writeFile(join(dir, name), text);
    await chmod(join(dir, name), mode);
    return join(dir, name);
  };

  test('the file wins over the credential, and that over the environment', async () => {
    await put('cedana-token', 'from-credential\n', 0o440);
    const env = { CREDENTIALS_DIRECTORY: dir, CEDANA_AUTH_TOKEN: 'from-environment' };
    const file = await put('token', 'from-file\n');
    expect(await tokenSource(file, env).read()).toBe('from-file');
    expect(await tokenSource(null, env).read()).toBe('from-credential');
    expect(await tokenSource(join(dir, 'cedana-token'), env).read()).toBe('from-credential');
    await rm(join(dir, 'cedana-token'));
    expect(await tokenSource(null, env).read()).toBe('from-environment');
    expect(await tokenSource(null, {}).read()).toBeNull();
  });

  test.each([0o640, 0o604, 0o644, 0o620, 0o602])('mode %o is refused', async (mode) => {
    await expect(tokenSource(await put('token', TOKEN, mode), {}).read()).rejects.toThrow(/chmod 600/);
  });

  test.each([
    ['empty', ' \n'],
    ['a header of its own', `${TOKEN}\r\nx-other: 1`],
    ['not ASCII', `${TOKEN}ä`],
    ['too large', TOKEN.repeat(2_000)],
  ])('%s is refused, and not quoted', async (_name, text) => {
    const error: unknown = await tokenSource(await put('token', text), {})
      .read()
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TokenError);
    expect(inspect(error, { depth: 10 })).not.toContain(TOKEN);
  });

  test('what is there but no file is refused', async () => {
    await mkdir(join(dir, 'folder'));
    await expect(tokenSource(join(dir, 'folder'), {}).read()).rejects.toThrow(/regular file/);
    await expect(tokenSource(join(dir, 'absent'), {}).read()).rejects.toThrow(/ENOENT/);
  });
});

describe.each([401, 403])('HTTP %d', (code) => {
  const refusal = { type: 'answer', status: code, body: { message: `bad token ${TOKEN}` } } as const;

  test('a token that was replaced is tried at once', async () => {
    const tokens = ['old', TOKEN];
    await using world = await createWorld({ api: { token: { read: async () => tokens.shift() ?? TOKEN } } });
    world.standIn.scripts.restore.faults = [refusal];
    expect((await world.restore()).type).toBe('accepted');
    expect(world.standIn.entries.length).toBe(2);
    expect(world.log.of('fatal')).toEqual([]);
    expect(world.clock.sleeps).toEqual([]);
  });

  test('one alarm, slow retries, and good news once it is repaired', async () => {
    await using world = await createWorld();
    world.standIn.scripts.checkpoint.always = refusal;
    world.clock.meanwhile = () => {
      if (world.clock.sleeps.length === 4) world.standIn.scripts.checkpoint.always = { type: 'none' };
    };
    expect((await world.checkpoint(3_600_000)).type).toBe('accepted');
    expect(world.clock.sleeps).toEqual([60_000, 60_000, 120_000, 240_000]);
    expect(world.log.of('fatal').length).toBe(1);
    expect(world.log.of('info').at(-1)).toBe('the API takes the token again');
    expect((await world.checkpoint()).type).toBe('accepted');
    expect(world.log.of('fatal').length).toBe(1);
  });

  test('a restore was certainly not acted on', async () => {
    await using world = await createWorld();
    world.standIn.scripts.restore.always = refusal;
    expect(await world.restore()).toEqual({
      type: 'retry',
      afterMs: 60_000,
      message: 'the API refuses the token',
    });
  });
});

test('a token that cannot be read is an alarm, and is read again at the next attempt', async () => {
  let broken = true;
  const read = async () => {
    if (broken) throw new TokenError('the token file /t cannot be opened (EACCES)');
    return TOKEN;
  };
  await using world = await createWorld({ api: { token: { read } } });
  expect(await world.restore()).toMatchObject({ type: 'retry', message: expect.stringContaining('EACCES') });
  expect(world.log.of('fatal').length).toBe(1);
  broken = false;
  expect((await world.restore()).type).toBe('accepted');
  expect(world.standIn.entries.length).toBe(1);
});

test('a token that is replaced during the wait is the one that is sent next', async () => {
  let token = 'old';
  await using world = await createWorld({ api: { token: { read: async () => token } } });
  world.clock.meanwhile = () => {
    token = TOKEN;
  };
  expect((await world.checkpoint()).type).toBe('accepted');
  expect(world.standIn.entries.map((entry) => entry.answer?.status)).toEqual([401, 200]);
});

test('a server that quotes the token does not get it into an outcome', async () => {
  await using world = await createWorld();
  for (const status of [400, 404, 500]) {
    const body = { message: `no: Bearer ${TOKEN}`, details: { header: TOKEN } };
    world.standIn.scripts.restore.faults = [{ type: 'answer', status, body }];
    const result = await world.restore();
    expect(inspect(result, { depth: 10 })).not.toContain(TOKEN);
    expect(inspect(result)).toContain('[token]');
  }
  expect(inspect([world.api, world.api.counters()], { depth: 10, showHidden: true })).not.toContain(TOKEN);
});

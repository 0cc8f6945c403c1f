import { describe, expect, test } from 'vitest';
import type { Fault } from '../../support/cedana/faults.ts';
import { ACTION, createWorld, NEVER, type World } from './world.ts';

const status = (word: string, more: object = {}): Fault => ({
  type: 'answer',
  status: 200,
  body: { status: word, ...more },
});
const list = (...entries: object[]): Fault => ({ type: 'answer', status: 200, body: entries });
const missing: Fault = { type: 'answer', status: 404, body: { message: 'Not Found' } };

function awaitReady(world: World, actionId = ACTION, forMs = 300_000) {
  return world.api.awaitReady({ actionId, expiresAt: world.clock.now() + forMs }, NEVER);
}

describe('by the status route', () => {
  test('ready at once', async () => {
    await using world = await createWorld();
    const accepted = await world.checkpoint();
    const id = accepted.type === 'accepted' ? accepted.actionId : '';
    expect(await awaitReady(world, id)).toEqual({ type: 'ready', readyAt: world.clock.now() });
    expect(world.clock.sleeps).toEqual([]);
  });

  test('polls while it is under way, whatever the word', async () => {
    await using world = await createWorld();
    const words = ['initialized', 'processing', 'checkpoint_created', 'a new word', 'ready'];
    world.standIn.scripts.status.faults = words.map((word) => status(word));
    expect((await awaitReady(world)).type).toBe('ready');
    expect(world.clock.sleeps).toEqual([188, 375, 750, 1_500]);
  });

  test.each(['error', 'failed', 'deprecated'])('%s is final', async (word) => {
    await using world = await createWorld();
    world.standIn.scripts.status.faults = [status(word, { details: 'disk\nfull' })];
    expect(await awaitReady(world)).toEqual({
      type: 'refused',
      status: 200,
      message: `status ${word}: disk full`,
    });
  });

  test('time runs out', async () => {
    await using world = await createWorld();
    world.standIn.scripts.status.always = status('processing');
    const outcome = await awaitReady(world, ACTION, 10_000);
    expect(outcome).toEqual({ type: 'unavailable', message: 'status processing' });
    expect(world.clock.sleeps.reduce((sum, ms) => sum + ms)).toBeLessThan(10_000);
  });

  test.each<[string, Fault]>([
    ['500', { type: 'answer', status: 500 }],
    ['reset', { type: 'reset-after-body' }],
    ['truncated', { type: 'truncated' }],
    ['no JSON', { type: 'answer', status: 200, body: '<html>' }],
    ['other JSON', { type: 'answer', status: 200, body: [1] }],
    ['__proto__', { type: 'answer', status: 200, body: { status: '__proto__' } }],
  ])('%s is polled past', async (_name, fault) => {
    await using world = await createWorld();
    world.standIn.scripts.status.faults = [fault, status('ready')];
    expect((await awaitReady(world)).type).toBe('ready');
    expect(world.clock.sleeps.length).toBe(1);
  });
});

describe('by the list', () => {
  test.each(['error', 'failed', 'deprecated', 'possibly_uploaded'])('%s is final', async (word) => {
    await using world = await createWorld();
    world.standIn.service.behaviour.statusRoutes = 'list';
    world.standIn.scripts.list.faults = [
      list({ action_id: 'another', status: 'ready' }),
      list({ action_id: ACTION, status: 'updated_info' }),
      list(null as unknown as object, { action_id: ACTION, status: word }),
    ];
    expect(await awaitReady(world)).toMatchObject({ type: 'refused', message: `status ${word}` });
    expect(world.clock.sleeps.length).toBe(2);
  });

  test('a list of more than 64 KiB is read', async () => {
    await using world = await createWorld();
    world.standIn.service.behaviour.statusRoutes = 'list';
    const others = Array.from({ length: 20_000 }, (_, n) => ({ action_id: `${n}`, status: 'ready' }));
    world.standIn.scripts.list.faults = [list(...others, { action_id: ACTION, status: 'ready' })];
    expect((await awaitReady(world)).type).toBe('ready');
  });

  test('is asked too where the status route does not know the id', async () => {
    await using world = await createWorld();
    world.standIn.scripts.status.always = status('not_found');
    world.standIn.scripts.list.faults = [list(), list({ action_id: ACTION, status: 'ready' })];
    expect((await awaitReady(world)).type).toBe('ready');
    expect(world.clock.sleeps.length).toBe(1);
  });
});

describe('a server without status', () => {
  test('counts as ready, is remembered for an hour, and then asked again', async () => {
    await using world = await createWorld();
    world.standIn.service.behaviour.statusRoutes = 'none';
    expect((await awaitReady(world)).type).toBe('ready');
    expect(world.standIn.entries.length).toBe(2);
    world.clock.time += 3_599_000;
    expect((await awaitReady(world)).type).toBe('ready');
    expect(world.standIn.entries.length).toBe(2);
    world.clock.time += 1_000;
    world.standIn.service.behaviour.statusRoutes = 'both';
    world.standIn.scripts.status.faults = [status('error')];
    expect((await awaitReady(world)).type).toBe('refused');
  });

  test('is not what a 404 means once a status was seen', async () => {
    await using world = await createWorld();
    world.standIn.service.behaviour.statusRoutes = 'status';
    world.standIn.scripts.status.faults = [
      status('processing'),
      missing,
      status('not_found'),
      status('ready'),
    ];
    expect((await awaitReady(world)).type).toBe('ready');
    expect(world.clock.sleeps.length).toBe(3);
  });
});

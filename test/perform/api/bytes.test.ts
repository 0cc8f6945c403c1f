import { expect, test } from 'vitest';
import { errorMessage, parseActionId } from '../../../daemon/perform/api/answer.ts';
import { cleanText } from '../../../daemon/system/log/clean-text.ts';
import fc from '../../support/properties.ts';
import { ACTION, createWorld, NEVER } from './world.ts';

test('an id is found with or without quotes and space, as it was written', () => {
  const space = fc.stringMatching(/^[ \r\n\t]{0,3}$/);
  fc.assert(
    fc.property(fc.uuid(), fc.boolean(), fc.boolean(), space, space, (uuid, quoted, upper, before, after) => {
      const id = upper ? uuid.toUpperCase() : uuid;
      expect(parseActionId(`${before}${quoted ? `"${id}"` : id}${after}`)).toBe(id);
    }),
  );
});

test('nothing else is an id', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.uuid().map((id) => `${id}0`),
      ),
      (text) => {
        expect(parseActionId(text)).toBeNull();
      },
    ),
  );
  for (const near of [
    `"${ACTION}`,
    `${ACTION}"`,
    `""${ACTION}""`,
    `'${ACTION}'`,
    ACTION.slice(1),
    `x${ACTION}`,
  ]) {
    expect(parseActionId(near)).toBeNull();
  }
});

test('any body makes a message that is one short printable line', () => {
  const deep = `{"message":"m","details":${'['.repeat(30_000)}${']'.repeat(30_000)}}`;
  expect(errorMessage(500, deep)).toMatch(/^HTTP 500: m/);
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), (body) => {
      const message = errorMessage(418, body);
      expect(message).toMatch(/^HTTP 418/);
      expect(message.length).toBeLessThan(1_000);
      expect(message).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
      expect(message.isWellFormed()).toBe(true);
    }),
  );
});

test('text is bounded without splitting a character', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 50 }),
      fc.integer({ min: 1, max: 20 }),
      (text, max) => {
        const clean = cleanText(text, max);
        expect(clean.length).toBeLessThanOrEqual(max);
        expect(clean.isWellFormed()).toBe(true);
      },
    ),
  );
});

test('whatever bytes a server sends, every call has a value', async () => {
  await using world = await createWorld({ api: { timeoutMs: 2_000 } });
  const status = fc.constantFrom(100, 101, 103, 199, 200, 204, 206, 304, 404, 500, 999);
  const http = fc
    .tuple(
      status,
      fc.string({ maxLength: 20 }),
      fc.integer({ min: -1, max: 300 }),
      fc.string({ maxLength: 200 }),
    )
    .map(
      ([code, header, length, body]) =>
        `HTTP/1.1 ${code} X\r\nx: ${header}\r\ncontent-length: ${length}\r\n\r\n${body}`,
    );
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array).toString('latin1')),
    http,
    http.map((text) => text.slice(0, text.length / 2)),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (raw) => {
      for (const route of ['restore', 'checkpoint', 'status', 'list'] as const) {
        world.standIn.scripts[route].always = { type: 'raw', bytes: raw };
      }
      const restored = await world.restore();
      expect(['ambiguous', 'refused', 'retry']).toContain(restored.type);
      const asked = await world.checkpoint(1_000);
      expect(['unavailable', 'refused', 'not-checkpointable']).toContain(asked.type);
      const request = { actionId: ACTION, expiresAt: world.clock.now() + 300 };
      const polled = await world.api.awaitReady(request, NEVER);
      expect(['unavailable', 'refused', 'ready']).toContain(polled.type);
    }),
    { numRuns: 60 },
  );
}, 60_000);

import { expect, test } from 'vitest';
import { globMatches, ruleOf } from '../../daemon/vocabulary/job-rule.ts';
import type { JobRule } from '../../daemon/vocabulary/policy.ts';
import fc from '../support/properties.ts';

const JOB = { partition: 'spot-a', user: 'ann', account: 'physics', qos: 'normal', name: 'train' };

function rule(match: JobRule['match']): JobRule {
  const heartbeat = { trigger: { every: 60_000 }, splay: 0, minAge: 0, kind: 'simple' } as const;
  return { match, enabled: true, resume: true, heartbeat };
}

test('the first rule of which every field matches counts', () => {
  const rules = [rule({ partition: 'spot*', user: 'bob' }), rule({ user: 'a?n' }), rule({})];
  expect(ruleOf(rules, JOB)).toBe(rules[1]);
  expect(ruleOf(rules, { ...JOB, user: 'bob' })).toBe(rules[0]);
  expect(ruleOf(rules, { ...JOB, user: 'eve' })).toBe(rules[2]);
  expect(ruleOf([rule({ qos: 'high' })], JOB)).toBeUndefined();
});

test.each([
  ['*', '', true],
  ['*', 'anything', true],
  ['spot*', 'spot-a', true],
  ['spot*', 'on-spot', false],
  ['*spot*', 'on-spot-2', true],
  ['a?c', 'abc', true],
  ['a?c', 'ac', false],
  ['a*b*c', 'a-b-b-c', true],
  ['a*b*c', 'a-c-b', false],
  ['', '', true],
  ['', 'x', false],
  ['a.c', 'abc', false],
  ['[ab]', 'a', false],
  ['a\\*', 'a\\x', true],
  ['*\n*', 'two\nlines', true],
])('glob %j on %j: %s', (pattern, text, matches) => {
  expect(globMatches(pattern, text)).toBe(matches);
});

test('globs say the same as the regular expression that they stand for', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 });
  const texts = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 10 });
  fc.assert(
    fc.property(letters, texts, (pattern, text) => {
      const regExp = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`);
      expect(globMatches(pattern, text)).toBe(regExp.test(text));
    }),
    { numRuns: 2_000 },
  );
});

test('a glob that would take a regular expression forever is quick', () => {
  const before = performance.now();
  globMatches(`${'a*'.repeat(50)}b`, 'a'.repeat(1_000));
  expect(performance.now() - before).toBeLessThan(200);
});

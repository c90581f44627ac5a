import { expect, it } from 'vitest';
import { retryAfterOf } from '../../../gateway/upstream/http-wire.ts';

const NOW = Date.UTC(2026, 0, 1);
const DAY = 86_400_000;

it.each([
  [undefined, undefined],
  ['0', 0],
  ['7', 7_000],
  ['Thu, 01 Jan 2026 00:01:00 GMT', 60_000],
  ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
  ['Fri, 01 Jan 2100 00:00:00 GMT', DAY],
  ['9'.repeat(400), DAY],
  ['soon', undefined],
  ['', undefined],
])('a server that says Retry-After: %s is left alone for %s ms', (text, ms) => {
  expect(retryAfterOf(text, NOW)).toBe(ms);
});

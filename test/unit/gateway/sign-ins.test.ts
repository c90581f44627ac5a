import { expect, it } from 'vitest';
import { createOneTime } from '../../../gateway/identity/one-time.ts';
import { WHOLE_SCOPE, type Principal } from '../../../gateway/identity/principal.ts';
import { createSignIns } from '../../../gateway/identity/sign-ins.ts';

const PERSON: Principal = {
  subject: 'user:ann',
  tokenId: 't',
  administrator: false,
  claims: { teams: [] },
  scope: WHOLE_SCOPE,
};

function world() {
  const at = { now: 0, holds: true, barred: false };
  const signIns = createSignIns({
    times: () => ({ idle: 10, lifetime: 100 }),
    barred: () => at.barred,
    now: () => at.now,
  });
  const opened = signIns.open({ principal: PERSON, holds: () => at.holds }, 'key');
  if (opened === undefined) throw new Error('refused');
  return { at, signIns, opened, find: () => signIns.find(opened.id, 'key') };
}

it('a sign-in lasts while it is used, to its end at the latest', () => {
  const { at, find, signIns, opened } = world();
  for (; at.now < 99; at.now += 9) expect(find()).toBe(opened.principal);
  expect(at.now).toBe(99);
  expect(find()).toBe(opened.principal);
  at.now = 100;
  expect(signIns.holds(opened.principal)).toBe(false);
  expect(find()).toBeUndefined();
});

it('a sign-in ends without use, and a request of another page is no use', () => {
  const { at, find, signIns, opened } = world();
  at.now = 9;
  expect(signIns.find(opened.id, 'another')).toBe('page-key');
  expect(signIns.find(opened.id, undefined)).toBe('page-key');
  at.now = 10;
  expect(find()).toBeUndefined();
});

it('a sign-in holds no longer than what it was opened by, and never begins for who is barred', () => {
  const ended = world();
  ended.at.holds = false;
  expect(ended.find()).toBeUndefined();
  const barred = world();
  barred.at.barred = true;
  expect(barred.signIns.holds(barred.opened.principal)).toBe(false);
  expect(barred.signIns.open({ principal: PERSON, holds: () => true }, 'key')).toBeUndefined();
});

it('the sign-ins of one person end one by one', () => {
  const { signIns, opened, find } = world();
  const second = signIns.open({ principal: PERSON, holds: () => true }, 'key');
  signIns.end(opened.principal);
  expect(find()).toBeUndefined();
  expect(signIns.find(second?.id ?? '', 'key')).toBe(second?.principal);
});

it('a one-time value is given out once, in time; the oldest makes room', () => {
  const at = { now: 0 };
  const values = createOneTime<number>(2, 10, () => at.now);
  const codes = [1, 2, 3].map((value) => values.put(value).code);
  expect(codes.map((code) => values.take(code))).toEqual([undefined, 2, 3]);
  expect(codes.map((code) => values.take(code))).toEqual([undefined, undefined, undefined]);
  const { code, expires } = values.put(4);
  expect(expires).toBe(10);
  at.now = 10;
  expect(values.take(code)).toBeUndefined();
});

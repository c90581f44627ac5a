import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createSessions, type Session, type Sessions } from '../../../gateway/mcp/sessions.ts';
import { principalOf } from './support.ts';

const HOUR = 3_600_000;
const principal = principalOf();
let sessions: Sessions;
let ended: string[];

beforeEach(() => {
  vi.useFakeTimers();
  ended = [];
  sessions = createSessions(Date.now, (id) => ended.push(id));
});
afterEach(() => {
  sessions.close();
  vi.useRealTimers();
});

const open = (subject = principal.subject): Session | undefined =>
  sessions.open({
    principal: subject === principal.subject ? principal : { ...principal, subject },
    scope: { kind: 'all' },
    route: '/mcp',
    protocolVersion: '2025-11-25',
    capabilities: {},
  });

describe('a session', () => {
  it('is found by its own principal at its own address only', () => {
    const { id } = open()!;
    expect(sessions.find(id, principal, '/mcp')?.id).toBe(id);
    expect(sessions.find(id, principalOf(null, 'another'), '/mcp')).toBeUndefined();
    expect(sessions.find(id, principal, '/mcp/dev')).toBeUndefined();
    expect(sessions.find('', principal, '/mcp')).toBeUndefined();
  });

  it('has an id that nobody guesses', () => {
    const ids = Array.from({ length: 100 }, () => open()!.id);
    expect(new Set(ids).size).toBe(100);
    for (const id of ids) expect(Buffer.from(id, 'base64url')).toHaveLength(24);
  });

  it('ends with its stream and with what it has in flight', () => {
    const session = open()!;
    const call = new AbortController();
    const end = vi.fn();
    session.inFlight.set(1, call);
    session.streams.listen({ write: () => undefined, end });
    sessions.end(session);
    expect(call.signal.aborted).toBe(true);
    expect(end).toHaveBeenCalledOnce();
    expect(sessions.find(session.id, principal, '/mcp')).toBeUndefined();
    expect(ended).toEqual([session.id]);
  });

  it('that is idle for an hour ends; one in use, with a stream or a call does not', () => {
    const [idle, used, streaming, calling] = [open()!, open()!, open()!, open()!];
    streaming.streams.listen({ write: () => undefined, end: () => undefined });
    calling.inFlight.set(1, new AbortController());
    vi.advanceTimersByTime(HOUR / 2);
    sessions.find(used.id, principal, '/mcp');
    vi.advanceTimersByTime(HOUR / 2 + 120_000);
    const left = [...sessions.all()].map(({ id }) => id);
    expect(left).toEqual([used.id, streaming.id, calling.id]);
    expect(ended).toEqual([idle.id]);
  });
});

it('when there are too many, the one idle longest makes room, and none in use does', () => {
  const first = open()!;
  vi.advanceTimersByTime(1);
  const second = open()!;
  for (let at = 2; at < 4_096; at++) open(`user:${at % 5}`);
  first.inFlight.set(1, new AbortController());
  expect(open()).toBeDefined();
  expect(sessions.find(second.id, principal, '/mcp')).toBeUndefined();
  expect(sessions.find(first.id, principal, '/mcp')).toBeDefined();
  expect(ended).toEqual([second.id]);
  for (const session of sessions.all()) session.inFlight.set(1, new AbortController());
  expect(open()).toBeUndefined();
});

it('whoever has a quarter of them makes room for their own more themselves', () => {
  const others = open('user:other')!;
  vi.advanceTimersByTime(1);
  const first = open()!;
  for (let at = 1; at < 1_024; at++) open();
  expect(open()).toBeDefined();
  expect(ended).toEqual([first.id]);
  for (const session of sessions.all())
    if (session !== others) session.inFlight.set(1, new AbortController());
  expect(open()).toBeUndefined();
  expect(open('user:other')).toBeDefined();
});

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import { createParking, PARKED_MS, type Round, type Upstream } from '../../../gateway/mcp/modern/parking.ts';
import { declares } from '../../../gateway/mcp/modern/questions.ts';

const NEVER = new AbortController().signal;
const roundOf = (more: Partial<Round> = {}): Round => ({ signal: NEVER, notify: () => undefined, ...more });
const OWNER = { tokenId: 'token', capabilities: { elicitation: {}, sampling: {} } };
const ACCEPTED = { action: 'accept', content: {} };

/** A server that asks twice, the second time for what the first answer was. */
function asking(questions = ['one']): (upstream: Upstream) => Promise<JsonObject> {
  return async ({ route, signal }) => {
    const answers = await Promise.all(
      questions.map((message) => route.ask('elicitation/create', { message }, signal)),
    );
    return { answers };
  };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

async function settled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  await vi.advanceTimersByTimeAsync(100);
  return promise;
}

describe('a parked call', () => {
  it('tells all questions of a moment at once, and goes on with their answers', async () => {
    const parking = createParking();
    const call = parking.begin(OWNER, asking(['one', 'two']));
    expect(await settled(call.attend(roundOf()))).toEqual({
      resultType: 'input_required',
      inputRequests: {
        'elicitation-1': { method: 'elicitation/create', params: { message: 'one' } },
        'elicitation-2': { method: 'elicitation/create', params: { message: 'two' } },
      },
    });
    expect(call.waiting).toBe(true);
    const found = parking.find(call.id, 1, 'token');
    found?.answer({ 'elicitation-1': ACCEPTED, other: 7 });
    const again = await settled(found!.attend(roundOf()));
    expect(Object.keys(again['inputRequests'] as object)).toEqual(['elicitation-2']);
    parking.find(call.id, 2, 'token')?.answer({ 'elicitation-2': ACCEPTED });
    expect(await settled(call.attend(roundOf()))).toEqual({ answers: [ACCEPTED, ACCEPTED] });
    await call.over;
    expect(parking.find(call.id, 3, 'token')).toBeUndefined();
  });

  it('is found by its owner alone, in its round alone, and not while somebody attends it', async () => {
    const parking = createParking();
    const call = parking.begin(OWNER, asking());
    const first = call.attend(roundOf());
    expect(parking.find(call.id, 1, 'token')).toBeUndefined();
    await settled(first);
    expect(parking.find(call.id, 0, 'token')).toBeUndefined();
    expect(parking.find(call.id, 1, 'other')).toBeUndefined();
    expect(parking.find('made up', 1, 'token')).toBeUndefined();
    expect(parking.find(call.id, 1, 'token')).toBe(call);
    parking.close();
  });

  it('does not end with the exchange that was answered, but with one that is closed', async () => {
    const parking = createParking();
    let upstream: AbortSignal | undefined;
    const call = parking.begin(OWNER, (up) => {
      upstream = up.signal;
      return asking()(up);
    });
    const first = new AbortController();
    await settled(call.attend(roundOf({ signal: first.signal })));
    first.abort();
    expect(upstream?.aborted).toBe(false);
    const second = new AbortController();
    const attended = call.attend(roundOf({ signal: second.signal }));
    second.abort(new Error('closed'));
    await expect(attended).rejects.toThrow('closed');
    expect(upstream?.aborted).toBe(true);
    expect(parking.find(call.id, 2, 'token')).toBeUndefined();
  });

  it('is given up at its server when nobody comes back in time', async () => {
    const parking = createParking();
    let upstream: AbortSignal | undefined;
    const call = parking.begin(OWNER, (up) => {
      upstream = up.signal;
      return asking()(up);
    });
    await settled(call.attend(roundOf()));
    await vi.advanceTimersByTimeAsync(PARKED_MS - 1_000);
    expect(upstream?.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(upstream?.aborted).toBe(true);
    expect(parking.find(call.id, 1, 'token')).toBeUndefined();
  });

  it('keeps a result that came while it was parked', async () => {
    const parking = createParking();
    const call = parking.begin(OWNER, async ({ route, signal }) => {
      void route.ask('elicitation/create', {}, signal).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      return { done: true };
    });
    await settled(call.attend(roundOf()));
    await vi.advanceTimersByTimeAsync(6_000);
    expect(await settled(parking.find(call.id, 1, 'token')!.attend(roundOf()))).toEqual({ done: true });
  });

  it('refuses what the client did not declare, and answers that are none', async () => {
    const parking = createParking();
    const call = parking.begin(OWNER, asking());
    await settled(call.attend(roundOf()));
    await expect(call.route.ask('roots/list', {}, NEVER)).rejects.toMatchObject({ code: -32601 });
    await expect(call.route.ask('elicitation/create', { mode: 'url' }, NEVER)).rejects.toMatchObject({
      code: -32601,
    });
    expect(() => call.answer({ 'elicitation-1': { action: 'perhaps' } })).toThrow('needs an action');
    expect(() => call.answer({ 'elicitation-1': 7 })).toThrow('must be an object');
    parking.close();
  });

  it('is one of 32 of a caller, and of 1024 in all, at most', async () => {
    const parking = createParking();
    const park = (tokenId: string): Promise<JsonObject> =>
      settled(parking.begin({ ...OWNER, tokenId }, asking()).attend(roundOf()));
    for (let count = 0; count < 32; count++) await park('busy');
    await expect(park('busy')).rejects.toThrow('32 calls of yours');
    for (let count = 0; count < 1_024 - 32; count++) await park(`token-${count % 31}`);
    await expect(park('late')).rejects.toThrow('too many calls');
    parking.close();
  });
});

describe('what a client declares', () => {
  it.each<[JsonObject, string, JsonObject, boolean]>([
    [{}, 'elicitation/create', {}, false],
    [{ elicitation: {} }, 'elicitation/create', {}, true],
    [{ elicitation: {} }, 'elicitation/create', { mode: 'url' }, false],
    [{ elicitation: { url: {} } }, 'elicitation/create', { mode: 'url' }, true],
    [{ elicitation: { url: {} } }, 'elicitation/create', { mode: 'form' }, false],
    [{ elicitation: { url: {}, form: {} } }, 'elicitation/create', {}, true],
    [{ sampling: {} }, 'sampling/createMessage', {}, true],
    [{ sampling: {} }, 'sampling/createMessage', { tools: [] }, false],
    [{ sampling: { tools: {} } }, 'sampling/createMessage', { tools: [] }, true],
    [{ roots: {} }, 'roots/list', {}, true],
    [{ roots: {} }, 'shell/run', {}, false],
  ])('%j is enough for %s of %j: %s', (capabilities, method, params, enough) => {
    expect(declares(capabilities, method, params)).toBe(enough);
  });
});

import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRequestStates, type Binding } from '../../../gateway/mcp/modern/request-state.ts';

const KEY = randomBytes(32);
const BINDING: Binding = {
  tokenId: 'token',
  path: '/mcp/g/s',
  method: 'tools/call',
  params: { name: 'add', arguments: { a: 1, b: { c: [1, { d: 2 }] } } },
};
const CONTENT = { parked: 'id', round: 1, approved: null };
const states = createRequestStates(KEY, () => 1_000);
const state = states.seal(CONTENT, BINDING, 2_000);

describe('a request state', () => {
  it('is opened for the request it was given out for', () => {
    expect(states.open(state, BINDING)).toEqual(CONTENT);
    const upstream = states.seal({ upstream: 'theirs' }, BINDING, 2_000);
    expect(states.open(upstream, BINDING)).toEqual({ upstream: 'theirs' });
  });

  it('does not show what it stands for, and is another each time', () => {
    const secret = states.seal({ upstream: 'secret' }, BINDING, 2_000);
    expect(Buffer.from(secret, 'base64url').toString('latin1')).not.toContain('secret');
    expect(states.seal(CONTENT, BINDING, 2_000)).not.toBe(state);
  });

  it('does not mind the order of keys, nor what a retry adds', () => {
    const params = {
      requestState: state,
      inputResponses: { a: {} },
      _meta: { progressToken: 9 },
      arguments: { b: { c: [1, { d: 2 }] }, a: 1 },
      name: 'add',
    };
    expect(states.open(state, { ...BINDING, params })).toEqual(CONTENT);
  });

  it.each<[string, Partial<Binding>]>([
    ['caller', { tokenId: 'other' }],
    ['address', { path: '/mcp/g/t' }],
    ['method', { method: 'prompts/get' }],
    ['name', { params: { ...BINDING.params, name: 'sub' } }],
    ['argument', { params: { ...BINDING.params, arguments: { a: 2, b: { c: [1, { d: 2 }] } } } }],
    ['shape of an argument', { params: { ...BINDING.params, arguments: [['a', 1]] } }],
  ])('is of no use with another %s', (_what, other) => {
    expect(states.open(state, { ...BINDING, ...other })).toBeUndefined();
  });

  it('expires', () => {
    expect(createRequestStates(KEY, () => 1_999).open(state, BINDING)).toEqual(CONTENT);
    expect(createRequestStates(KEY, () => 2_000).open(state, BINDING)).toBeUndefined();
  });

  it('is understood by a gateway with the same key only', () => {
    expect(createRequestStates(randomBytes(32), () => 1_000).open(state, BINDING)).toBeUndefined();
  });

  it('is of no use when anything of it was altered', () => {
    fc.assert(
      fc.property(
        fc.nat(state.length - 1),
        fc.constantFrom('A', 'z', '0', '-', '_', '=', '+', '/', ' ', '.'),
        (at, char) => {
          fc.pre(state[at] !== char);
          const altered = state.slice(0, at) + char + state.slice(at + 1);
          expect(states.open(altered, BINDING)).toBeUndefined();
        },
      ),
    );
    fc.assert(
      fc.property(fc.anything(), (anything) => {
        expect(states.open(anything, BINDING)).toBeUndefined();
      }),
    );
    expect(states.open(`${state}A`, BINDING)).toBeUndefined();
    expect(states.open(state.slice(0, -1), BINDING)).toBeUndefined();
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isToken, newToken } from '../../../gateway/contract/token.ts';

const random = fc.uint8Array({ minLength: 32, maxLength: 32 });
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

describe('a token', () => {
  it('is recognised, and carries its bytes', () => {
    fc.assert(
      fc.property(random, (bytes) => {
        const token = newToken('pat', bytes);
        expect(token).toMatch(/^tg_pat_[A-Za-z0-9_-]{49}$/);
        expect(isToken(token)).toBe(true);
        expect(new Uint8Array(Buffer.from(token.slice(7, 50), 'base64url'))).toEqual(bytes);
      }),
    );
  });

  it('with any one character changed is none', () => {
    fc.assert(
      fc.property(random, (bytes) => {
        const token = newToken('pat', bytes);
        for (let at = 0; at < token.length; at++) {
          for (const other of ALPHABET) {
            if (other === token[at]) continue;
            if (isToken(token.slice(0, at) + other + token.slice(at + 1))) {
              expect.fail(`${token} with ${other} at ${at} still counts`);
            }
          }
        }
      }),
      { numRuns: 3 },
    );
  });

  it('with neighbours swapped, a character lost or one too many is none', () => {
    fc.assert(
      fc.property(random, fc.nat(54), (bytes, at) => {
        const token = newToken('pat', bytes);
        const swapped = token.slice(0, at) + token[at + 1]! + token[at]! + token.slice(at + 2);
        if (swapped !== token) expect(isToken(swapped)).toBe(false);
        expect(isToken(token.slice(0, at) + token.slice(at + 1))).toBe(false);
        expect(isToken(`${token.slice(0, at)}A${token.slice(at)}`)).toBe(false);
        expect(isToken(`${token}\n`)).toBe(false);
        expect(isToken(` ${token}`)).toBe(false);
      }),
    );
  });

  it('is made of 32 bytes and no other number', () => {
    expect(() => newToken('pat', new Uint8Array(31))).toThrow('32 random bytes');
  });
});

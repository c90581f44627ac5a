import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineReader } from '../../../gateway/upstream/lines.ts';

/** What a reader makes of these chunks. */
function read(chunks: readonly Uint8Array[]): { lines: string[]; overflows: string[] } {
  const lines: string[] = [];
  const overflows: string[] = [];
  const reader = new LineReader(
    (line) => lines.push(line),
    (reason) => overflows.push(reason),
  );
  for (const chunk of chunks) reader.push(Buffer.from(chunk));
  return { lines, overflows };
}

/** Cuts bytes at the given places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

describe('lines', () => {
  it('are the same however the bytes are cut, in the middle of a character too', () => {
    const line = fc
      .string({ unit: 'binary', maxLength: 12 })
      .map((text) => text.replaceAll(/[\n\r]/g, '').trim())
      .map((text) => Buffer.from(text).toString().trim());
    fc.assert(
      fc.property(
        fc.array(line),
        fc.array(fc.nat(), { maxLength: 12 }),
        fc.boolean(),
        (texts, places, crlf) => {
          const bytes = Buffer.from(texts.map((text) => text + (crlf ? '\r\n' : '\n')).join(''));
          expect(read(cut(bytes, places)).lines).toEqual(texts.filter((text) => text !== ''));
        },
      ),
    );
  });

  it('that are not finished are not lines yet', () => {
    expect(read([Buffer.from('{"a":'), Buffer.from('1}')]).lines).toEqual([]);
    expect(read([Buffer.from('{"a":'), Buffer.from('1}\n')]).lines).toEqual(['{"a":1}']);
  });

  it('beyond 128 MB are an overflow, told once, after which nothing counts', () => {
    const chunk = Buffer.alloc(16 * 1024 * 1024, 0x61);
    const within = read(Array.from({ length: 8 }, () => chunk));
    expect(within).toEqual({ lines: [], overflows: [] });
    const beyond = read([...Array.from({ length: 10 }, () => chunk), Buffer.from('\nafter\n')]);
    expect(beyond).toEqual({ lines: [], overflows: ['the server printed a line of over 128 MB'] });
  });
});

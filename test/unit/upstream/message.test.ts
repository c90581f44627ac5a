import fc from 'fast-check';
import { expect, it } from 'vitest';
import { nestsTooDeep, parseMessage } from '../../../gateway/upstream/message.ts';

const nested = (levels: number): string => '[{"a":'.repeat(levels / 2) + '1' + '}]'.repeat(levels / 2);

it('a message of 128 levels is taken, and one of more is an error under its own id', () => {
  expect(parseMessage(nested(128))).toEqual(JSON.parse(nested(128)));
  const deep = `{"jsonrpc":"2.0","id":7,"result":${nested(128)}}`;
  expect(parseMessage(deep)).toMatchObject({
    id: 7,
    error: { message: expect.stringContaining('128') as string },
  });
  expect(parseMessage(`x${' '.repeat(200)}`)).toBeUndefined();
});

it('brackets within strings do not count, whatever is escaped', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: fc.constantFrom('[', '{', '"', '\\', 'a') })), (texts) => {
      const text = JSON.stringify([...texts, '['.repeat(200), '\\'.repeat(3)]);
      expect(nestsTooDeep(text)).toBe(false);
      expect(nestsTooDeep(`[${text},${nested(130)}]`)).toBe(true);
    }),
  );
});

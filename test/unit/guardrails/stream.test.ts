import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPiiDetector } from '../../../gateway/guardrails/detect/pii.ts';
import { createSecretDetector } from '../../../gateway/guardrails/detect/secrets.ts';
import { markOf } from '../../../gateway/guardrails/detect/finding.ts';
import { guardStream, type Said } from '../../../gateway/guardrails/stream.ts';
import { replaceAll } from '../../../gateway/guardrails/text-guard.ts';

const detect = createPiiDetector(['email', 'creditCard', 'iban']);
const replace = (_found: string, entity: string): string => markOf(entity);
const guard = { name: 'pii', mode: 'enforce' as const, message: undefined };
const piece = fc.constantFrom(
  ...[
    'ann@example.com',
    '4111 1111 1111 1111',
    'DE89 3704 0044 0532 0130 00',
    'hello',
    ' ',
    '\n',
    'Order 12',
    '. ',
  ],
);

async function* saying(pieces: readonly string[]): AsyncIterable<Said> {
  for (const text of pieces) yield { type: 'text', text };
  await Promise.resolve();
  yield { type: 'finish' };
}
async function textOf(said: AsyncIterable<Said>): Promise<string> {
  let text = '';
  for await (const event of said) if ('text' in event) text += event.text;
  return text;
}
const fail = (): Error => new Error('blocked');

describe('a text that is looked at while it is said', () => {
  it('comes out as the whole of it would, however it is cut', async () => {
    const texts = fc.array(piece, { maxLength: 40 }).map((words) => words.join(' '));
    await fc.assert(
      fc.asyncProperty(
        texts,
        fc.array(fc.integer({ min: 1, max: 90 }), { maxLength: 60 }),
        async (text, cuts) => {
          const pieces: string[] = [];
          let rest = text;
          for (const cut of cuts) {
            pieces.push(rest.slice(0, cut));
            rest = rest.slice(cut);
          }
          const out = textOf(
            guardStream(saying([...pieces, rest]), guard, { detect, replace }, () => undefined, fail),
          );
          expect(await out).toBe(replaceAll(text, detect, replace));
        },
      ),
    );
  });

  it('does not look at what is long and not over yet with every piece of it', async () => {
    const text = `-----BEGIN PRIVATE KEY-----\n${'abcd efg'.repeat(40_000)}`;
    const pieces = text.match(/[^]{1,8}/g) ?? [];
    let looked = 0;
    const secrets = createSecretDetector();
    const counting = (piece: string): ReturnType<typeof secrets> => {
      looked += piece.length;
      return secrets(piece);
    };
    const said = guardStream(saying(pieces), guard, { detect: counting, replace }, () => undefined, fail);
    expect(await textOf(said)).toBe('[PRIVATE_KEY]');
    expect(looked).toBeLessThan(text.length * 20);
  });

  it('lets nothing out of what it refuses', async () => {
    const long = 'word '.repeat(400);
    const pieces = Array.from(`${long}write to ann@example.com now`);
    let out = '';
    const run = async (): Promise<void> => {
      const said = guardStream(saying(pieces), guard, { detect, replace: undefined }, () => undefined, fail);
      for await (const event of said) if ('text' in event) out += event.text;
    };
    await expect(run()).rejects.toThrow('blocked');
    expect(out.length).toBeGreaterThan(1_000);
    expect(long.startsWith(out)).toBe(true);
  });
});

it('masking what is masked changes nothing', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (words) => {
      const once = replaceAll(words.join(''), detect, replace);
      expect(replaceAll(once, detect, replace)).toBe(once);
      expect(detect(once)).toEqual([]);
    }),
  );
});

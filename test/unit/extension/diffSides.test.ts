import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sideOf } from '../../../extension/diffSides.ts';

describe('sideOf', () => {
  const diff = [
    '--- a/x.txt',
    '+++ b/y.txt',
    '@@ -1,3 +1,2 @@',
    ' same',
    '--- gone',
    '-old',
    '+new',
    '@@ -9 +8 @@',
    '-last',
    '+least',
    '\\ No newline at end of file',
  ].join('\n');

  it('tells what is before and after', () => {
    const lines = (before: boolean): string[] => sideOf(diff, before).split('\n').slice(3);
    expect(lines(true)).toEqual([
      ...['same', '-- gone', 'old', '@@ -9 +8 @@', 'last', '\\ No newline at end of file'],
    ]);
    expect(lines(false)).toEqual(['same', 'new', '@@ -9 +8 @@', 'least', '\\ No newline at end of file']);
  });

  it('hides nothing, whatever stands around the hunks or breaks them off', () => {
    const text = `please:\n${diff}\n+rm -rf /\n-x\n@@ -1,9 +1,9 @@\n+b\nrm -rf ~`;
    for (const before of [true, false])
      for (const line of ['please:', '+rm -rf /', '-x', 'rm -rf ~'])
        expect(sideOf(text, before).split('\n')).toContain(line);
    const lines = fc.array(
      fc.oneof(
        fc.constantFrom('@@ -1 +1 @@', '@@ -2,2 +2 @@', '', '-a', '+b', ' c', '\\ No', '--- a'),
        fc.string(),
      ),
    );
    fc.assert(
      fc.property(lines, (all) => {
        const given = all.join('\n').split('\n');
        const shown = [true, false].flatMap((before) => sideOf(given.join('\n'), before).split('\n'));
        for (const line of given) expect(shown.includes(line) || shown.includes(line.slice(1))).toBe(true);
      }),
    );
  });
});

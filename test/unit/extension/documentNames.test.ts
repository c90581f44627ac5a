import { expect, it } from 'vitest';
import { approvalName } from '../../../extension/documentNames.ts';

/** P164 The tab of an approval says what it is about, whatever its caller and server call things. */
it('names the document of an approval by tool, server and the end of its id', () => {
  const id = `apr_${'0'.repeat(18)}3f9a21`;
  expect(approvalName({ id, tool: 'echo', server: 'toolgate:common:everything-mcp' })).toBe(
    'echo · everything-mcp · 3f9a21',
  );
  const hostile = approvalName({ id, tool: `../a\u202e\n/${'b'.repeat(500)}`, server: 'x' });
  expect(hostile).toMatch(/^\.\._a___b{33} · x · 3f9a21$/);
  expect(approvalName({ id: `${id.slice(0, -6)}abcdef`, tool: 'echo', server: 'x' })).not.toBe(
    approvalName({ id, tool: 'echo', server: 'x' }),
  );
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { checkPolicy } from '../../../gateway/access/policies.ts';
import { parseConfig } from '../../../gateway/config/load.ts';

const text = readFileSync(join(import.meta.dirname, '../../../docs/policy.md'), 'utf8');
const examples = [...text.matchAll(/## ([^\n]+)\n(?:(?!\n## )[^])*?```yaml\n([^]*?)```/g)].map(
  ([, title = '', yaml = '']) => ({ title, yaml }),
);

it('docs/policy.md has an example for each of its parts', () => {
  expect(examples.length).toBeGreaterThanOrEqual(7);
});

it.each(examples)('the example of "$title" is a configuration', ({ yaml }) => {
  const parsed = parseConfig(yaml);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  checkPolicy(parsed.config);
});

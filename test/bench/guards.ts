import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { compilePatterns } from '../../gateway/access/patterns.ts';
import { guardrailSchema } from '../../gateway/config/policies/guardrails.ts';
import { judgeTexts, textGuardOf } from '../../gateway/guardrails/text-guard.ts';
import type { TextGuard } from '../../gateway/guardrails/guard.ts';
import { createLook } from '../../gateway/guardrails/listed.ts';
import { createListingSearch } from '../../gateway/guardrails/listing-search.ts';
import { createTextWorkers } from '../../gateway/guardrails/workers.ts';

/**
 * Prints what the guardrails that look at texts take, in milliseconds a megabyte of CPU, over rows as tools answer them,
 * over many short strings, and over texts that are made to be slow. Then for how long the event loop stands still at most
 * while a list of resources is searched. `node test/bench/guards.ts 5` takes 5 MB each.
 */
const MEGABYTES = Number(process.argv[2] ?? 1);

const guard = (options: object): TextGuard => {
  const config = guardrailSchema.parse({ name: 'g', hooks: ['toolResult'], operation: 'mutate', ...options });
  const made = textGuardOf(config, config.kind === 'regex' ? compilePatterns(config.patterns) : []);
  if (made === undefined) throw new Error(`${config.kind} looks at no texts`);
  return made;
};
const GUARDS = {
  pii: () => guard({ kind: 'pii' }),
  secrets: () => guard({ kind: 'secrets' }),
  'hidden-text': () => guard({ kind: 'hidden-text' }),
  'unsafe-content': () => guard({ kind: 'unsafe-content' }),
  injection: () => guard({ kind: 'injection' }),
  regex: () =>
    guard({ kind: 'regex', patterns: [{ pattern: '(?i)project x' }, { pattern: '\\b[a-z]+@corp\\b' }] }),
};

const many = (unit: string): readonly string[] => [unit.repeat(Math.ceil((MEGABYTES * 1e6) / unit.length))];
const row = (id: number): string =>
  JSON.stringify({
    id,
    name: `Person ${id}`,
    city: 'Springfield',
    total: id * 17.25,
    at: '2026-01-02T03:04:05Z',
  });
const rows = (count: number): string[] => Array.from({ length: count }, (_, id) => row(id));
const PROSE =
  'When the harvest was over, the villagers sat at long tables and told what the year had brought them. Nobody ' +
  "knew how the old bridge had come down; some said that it was the river, others that it hadn't been mended. ";
const bytes = Uint8Array.from(
  { length: MEGABYTES * 750_000 },
  (_, at) => Math.imul(at, 2_654_435_761) >>> 11,
);
const TEXTS: Readonly<Record<string, readonly string[]>> = {
  'JSON rows': [`[${rows(Math.ceil((MEGABYTES * 1e6) / 90)).join(',')}]`],
  'rows with e-mail': [rows(Math.ceil((MEGABYTES * 1e6) / 110)).join(' ann@example.com ')],
  prose: many(PROSE),
  'short strings': rows(Math.ceil((MEGABYTES * 1e6) / 90)),
  base64: [Buffer.from(bytes).toString('base64')],
  ...Object.fromEntries(
    [
      ...[
        '1',
        '12 ',
        '1-',
        '1-1',
        '4111 ',
        '4111 1111 1111 1111 ',
        'a',
        'a ',
        'ABCDEF',
        'aB3',
        '@',
        'a@',
        '@.',
        '%40',
      ],
      ...[
        'ann@example.com',
        '.',
        '1.',
        'ab:',
        '\\"',
        '"\'`',
        'password=',
        'password="',
        'token: ',
        'a://',
        'a://b:c@',
      ],
      ...[
        'eyJaaaaaaaaaaa.',
        '-----BEGIN PRIVATE KEY-----',
        'DE89 3704 0044 0532 0130 00 ',
        '+49 171 1234567 ',
      ],
      ...['\u200b', 'a\u200b', '\u{e0041}', '👩\u200d', 'fuck ', 'i will kill ', 'sh1', ' '],
    ].map((unit) => [JSON.stringify(unit), many(unit)]),
  ),
};

const table: Record<string, Record<string, number>> = {};
for (const [name, texts] of Object.entries(TEXTS)) {
  const size = texts.reduce((sum, { length }) => sum + length, 0) / 1e6;
  table[name] = Object.fromEntries(
    Object.entries(GUARDS).map(([kind, make]) => {
      const made = make();
      const before = process.cpuUsage();
      judgeTexts(made, texts);
      const { user, system } = process.cpuUsage(before);
      return [kind, Math.round((user + system) / 1_000 / size)];
    }),
  );
}
console.table(table);

/** The longest that the event loop stood still meanwhile, in ms. */
async function longestPause(work: () => unknown): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  // A sample needs one before it.
  await sleep(20);
  await work();
  await sleep(20);
  delay.disable();
  return Math.round(delay.max / 1e6);
}

const listOf = (count: number, round: number): Record<string, string>[] =>
  Array.from({ length: count }, (_, at) => ({
    uri: `note://${round}/${at}`,
    name: `Note ${at} of ${round}`,
    description: `What the team said of number ${at} in its meeting`,
    mimeType: 'text/plain',
  }));
const workers = createTextWorkers();
const pauses: Record<string, Record<string, number>> = {};
const searches = {
  'on the thread': createListingSearch(workers).resources,
  'without it': (items: Record<string, string>[]) => {
    const look = createLook();
    for (const item of items) look('resource', item);
  },
};
for (const [where, search] of Object.entries(searches)) {
  const rounds: Record<string, number> = {};
  for (const round of [1, 2, 3]) {
    const items = listOf(Math.ceil((MEGABYTES * 1e6) / 135), round);
    rounds[`list ${round}`] = await longestPause(() => search(items));
  }
  pauses[where] = rounds;
}
workers.close();
console.log(`The longest pause of the event loop while a list of ${MEGABYTES} MB is searched, in ms:`);
console.table(pauses);

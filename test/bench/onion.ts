import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRedactor } from '../../gateway/credentials/redactor.ts';
import { newToken } from '../../gateway/contract/token.ts';
import { createIdentity } from '../../gateway/identity/identity.ts';
import { newFacts, type Call } from '../../gateway/pipeline/call.ts';
import { createPolicing } from '../../gateway/policing.ts';
import { createMemorySharedState } from '../../gateway/storage/memory-shared-state.ts';
import { openApprovalStore } from '../../gateway/storage/sqlite-approval-store.ts';
import { createDispatchers } from '../../gateway/upstream/dispatcher.ts';
import { catalogOf, parsed, tool } from '../unit/gateway/support.ts';
import type { Verdict } from './report.ts';

/**
 * What the whole onion costs a call, with every stage on and nothing tripping: identity, decision with a condition,
 * schema, four rate limits, three guardrails before and after, bounds, an approval policy that is about other arguments,
 * a cache policy that is about another server, breaker, bulkhead, retry and timeout. The server answers at once.
 */
const CONFIG = parsed(`version: 1
groups:
  - name: g
    access: { use: [everyone] }
    approvals: [{ tools: ["@all"], when: 'args.database == "prod"', approvers: ["user:x"] }]
    servers:
      - name: s
        command: x
        tools:
          - { match: query, effect: allow, when: 'args.database != "hr"' }
          - { match: query, arguments: { maxBytes: 1MB, maxDepth: 32 }, result: { maxBytes: 5MB, maxItems: 10000, over: truncate } }
policies:
  rateLimits:
    - { name: a, limits: { calls: [1000000/s, 100000000/day] }, per: [principal] }
    - { name: b, when: { tools: ["g:s:*"] }, limits: { calls: 100000000/min, concurrency: 1000 }, per: [tool, team] }
    - { name: c, when: { subjects: [everyone] }, limits: { calls: 100000000/hour }, per: [server, metadata.feature] }
  guardrails:
    - { name: p, kind: pii, hooks: [toolArguments, toolResult], operation: mutate }
    - { name: k, kind: secrets, hooks: [toolArguments, toolResult] }
    - { name: w, kind: regex, hooks: [toolArguments, toolResult], patterns: [{ pattern: "project (x|y)" }] }
  cache: [{ when: { servers: ["g:other"] }, ttl: 1m }]
  resilience: [{ when: { servers: ["g:*"] }, retry: { attempts: 2 }, breaker: { failures: 5 }, concurrency: 64 }]
`);
const ARGS = {
  database: 'sales',
  sql: 'select name, total from orders where customer = 42 order by total desc',
  limit: 50,
};
const RESULT = {
  content: [{ type: 'text', text: JSON.stringify({ rows: [{ name: 'Acme', total: 17.5 }] }) }],
};
const BUDGET_US = 60;

export interface OnionCost {
  /** Microseconds a call. */
  readonly us: number;
}

export async function measureOnion(calls = 30_000): Promise<OnionCost> {
  const folder = await mkdtemp(join(tmpdir(), 'toolgate-bench-'));
  const schema = { type: 'object', properties: { database: { type: 'string' }, sql: { type: 'string' } } };
  const { catalog, decide, upstreams } = catalogOf(CONFIG, {
    'g:s': { tools: [tool('query', { inputSchema: schema })], answer: () => Promise.resolve(RESULT) },
  });
  const token = newToken('pat', new Uint8Array(32).fill(3));
  const identity = createIdentity({
    store: { current: () => ({ version: 1, tokens: [] }), onChange: () => () => undefined } as never,
    key: Buffer.alloc(32),
    ownerToken: token,
    now: Date.now,
  });
  const approvalStore = await openApprovalStore(join(folder, 'approvals.sqlite'));
  const dispatchers = createDispatchers();
  const sharedState = createMemorySharedState(Date.now);
  const policing = createPolicing({
    config: CONFIG,
    activity: { append: () => undefined } as never,
    ...{ catalog, identity, decide, upstreams, dispatchers, approvalStore, sharedState },
    redactor: createRedactor(),
    requestConsent: () => undefined,
    resolve: (text) => text,
    base: () => 'http://127.0.0.1',
    log: { warn: () => undefined, error: () => undefined } as never,
    now: Date.now,
  });
  const principal = identity.authenticate(token);
  const { signal } = new AbortController();
  const run = async (count: number): Promise<void> => {
    for (let at = 0; at < count; at++) {
      const call: Call = {
        ...{ traceId: '0'.repeat(32), source: 'mcp', principal, signal },
        target: { serverId: 'g:s', kind: 'tool', name: 'query' },
        params: { name: 'query', arguments: { ...ARGS, limit: at } },
        metadata: { feature: 'bench' },
        facts: newFacts(200),
      };
      const outcome = await policing.pipeline.run(call);
      if (!outcome.ok) throw new Error(outcome.refusal.message);
    }
  };
  await run(calls / 3);
  const began = performance.now();
  await run(calls);
  const us = ((performance.now() - began) * 1_000) / calls;
  await policing.close();
  await approvalStore.close();
  await dispatchers.close();
  await rm(folder, { recursive: true, force: true });
  return { us };
}

export function judgeOnion({ us }: OnionCost): Verdict {
  return {
    budget: `the whole onion under ${BUDGET_US} µs a call, every stage on and nothing tripping`,
    measured: `${us.toFixed(1)} µs`,
    met: us <= BUDGET_US,
  };
}

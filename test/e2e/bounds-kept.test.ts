import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT, startGateway, type RunningGateway } from '../support/gateway.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';

/** P62 P63 What a server says in an error is bounded and counted, and so is what pages are kept with. */
let gateway: RunningGateway;
let people: People;

const LOOSE = join(ROOT, 'test/support/loose-server.ts');

beforeAll(async () => {
  const entry = (name: string, over: string): string =>
    `{ name: ${name}, command: node, args: ["${LOOSE}", legacy], tools: [{ match: "*", result: { maxBytes: 10kB, over: ${over} } }] }`;
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: own
    access: { use: [everyone] }
    servers: [${['block', 'truncate', 'page'].map((over) => entry(over, over)).join(', ')}]
  - name: counted
    access: { use: [everyone] }
    servers: [{ name: loose, command: node, args: ["${LOOSE}", legacy] }]
policies:
  rateLimits: [{ name: tokens, when: { groups: [counted] }, limits: { tokens: 10000/day } }]
`,
  });
  people = await createPeople(gateway, ['dev', 'eve']);
});
afterAll(() => gateway.stop());

const call = (server: string, tool: string, args: object, who = 'dev'): Promise<ApiAnswer> =>
  people.api(who, 'POST', '/calls', { server, tool, arguments: args });

describe('an error of a server', () => {
  it.each(['block', 'truncate', 'page'])('over a bound is not let through (%s)', async (over) => {
    const small = await call(`own:${over}`, 'fails', { say: 'not now', chars: 100 });
    expect(small).toMatchObject({ status: 502, body: { detail: 'not now' } });
    const large = await call(`own:${over}`, 'fails', { say: 'not now', chars: 20_000 });
    expect(large).toMatchObject({ status: 413, body: { rule: expect.stringContaining('result.maxBytes') } });
    expect(large.body['detail']).toContain('the error is 20');
    expect((await call(`own:${over}`, 'fails', { say: 'x'.repeat(20_000) })).status).toBe(413);
  });

  it('counts as what a result would', async () => {
    expect((await call('counted:loose', 'fails', { say: 'no', chars: 50_000 })).status).toBe(502);
    expect((await call('counted:loose', 'fails', { say: 'no' })).status).toBe(429);
  });
});

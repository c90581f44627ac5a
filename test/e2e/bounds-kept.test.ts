import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT, startGateway, type RunningGateway } from '../support/gateway.ts';
import { ask } from '../support/modern.ts';
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

describe('pages', () => {
  const prints = async (who: string, say = ''): Promise<string> => {
    const { body } = await call('own:page', 'prints', { chars: 5_000, say }, who);
    const { _meta } = body['result'] as { _meta: Record<string, { reference: string }> };
    return _meta['toolgate/bounds']?.reference ?? '';
  };
  /** Whether somebody can still read on. */
  const kept = async (who: string, reference: string): Promise<boolean> => {
    const caller = { address: gateway.address, token: people.tokens[who] ?? '' };
    const params = { name: 'toolgate__read_result', arguments: { reference, page: 2 } };
    const { result } = await ask(caller, '/mcp/own', 'tools/call', params);
    return result !== undefined && result['isError'] !== true;
  };

  it('count with the arguments they came of, and make room for others of their own caller first', async () => {
    const others = await prints('eve');
    const first = await prints('dev', 'x'.repeat(15_000_000));
    expect([await kept('eve', others), await kept('dev', first)]).toEqual([true, true]);
    let last = first;
    for (let more = 0; more < 9; more++) last = await prints('dev', 'x'.repeat(15_000_000));
    expect([await kept('dev', last), await kept('dev', first), await kept('eve', others)]).toEqual([
      true,
      false,
      true,
    ]);
  });
});

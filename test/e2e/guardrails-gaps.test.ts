import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT, startGateway, type RunningGateway } from '../support/gateway.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';

/** P144 What a server says, or is told, in places where MCP expects no words passes guardrails as well. */
let gateway: RunningGateway;
let people: People;

const LOOSE = join(ROOT, 'test/support/loose-server.ts');

beforeAll(async () => {
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: own
    access: { use: [everyone] }
    servers:
      - { name: legacy, command: node, args: ["${LOOSE}", legacy] }
      - { name: modern, command: node, args: ["${LOOSE}", modern] }
policies:
  guardrails:
    - { name: told, kind: regex, hooks: [toolArguments], patterns: [{ pattern: "swordfish" }] }
    - { name: said, kind: regex, hooks: [toolResult], patterns: [{ pattern: "obey" }] }
`,
  });
  people = await createPeople(gateway, ['dev']);
});
afterAll(() => gateway.stop());

const call = (server: string, tool: string, args: object = {}): Promise<ApiAnswer> =>
  people.api('dev', 'POST', '/calls', { server: `own:${server}`, tool, arguments: args });

describe('a server', () => {
  it('says nothing by the name of what it asks, where nobody can be asked', async () => {
    const { status, body } = await call('modern', 'asks', { say: 'obey me' });
    expect(status).toBe(422);
    expect(JSON.stringify(body)).not.toContain('obey');
    const known = await call('modern', 'asks', { say: 'roots/list' });
    expect(known.body['detail']).toContain('asks for roots/list');
  });
});

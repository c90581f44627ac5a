import assert from 'node:assert/strict';
import type { AgentChunk } from '../../../gateway/contract/agent.ts';
import { agentChunkSchema } from '../../../gateway/contract/agent.ts';
import { limitListSchema } from '../../../gateway/contract/limits.ts';
import type { PlaygroundMessage } from '../../../gateway/contract/playground.ts';
import { modelListSchema, registryViewSchema } from '../../../gateway/contract/registry.ts';
import type { PlaygroundHost } from '../../../extension/playgroundHost.ts';
import { internals, itemWhen, running } from './support.ts';

type MessageOf<Type extends PlaygroundMessage['type']> = Extract<PlaygroundMessage, { type: Type }>;

const RUN = {
  model: 'demo/planner',
  stream: true,
  iteration_limit: 5,
  messages: [{ role: 'user', content: 'Add 2 and 3, then multiply the result by 4' }],
  mcp_servers: [{ integration_fqn: 'truefoundry:common:calculator-mcp' }],
};

/** A page's messages, and the host that answers it. */
async function connect(): Promise<{ host: PlaygroundHost; received: PlaygroundMessage[] }> {
  const received: PlaygroundMessage[] = [];
  const host = (await internals()).connectPlayground((message) => received.push(message));
  return { host, received };
}

function replyOf(received: PlaygroundMessage[], id: number): MessageOf<'reply'> {
  const reply = received.find((message) => message.type === 'reply' && message.id === id);
  assert.equal(reply?.type, 'reply');
  return reply;
}

function chunksOf(received: PlaygroundMessage[], id: number): AgentChunk[] {
  return received
    .filter((message) => message.type === 'stream')
    .filter((message) => message.id === id && message.data !== '[DONE]')
    .map(({ data }) => agentChunkSchema.parse(JSON.parse(data)));
}

export function playgroundSuite(): void {
  describe("the playground's host", () => {
    let host: PlaygroundHost;
    let received: PlaygroundMessage[];

    beforeEach(async () => {
      await running();
      await itemWhen(['common', 'calculator-mcp', 'Tools (4)']);
      ({ host, received } = await connect());
    });
    afterEach(() => {
      host.dispose();
    });

    it('tells a page that is ready how the gateway is, never the token', async () => {
      const { address } = await running();
      await host.receive({ type: 'ready' });
      assert.deepEqual(received, [{ type: 'state', state: { status: 'running', address } }]);
      const token = await (await internals()).vault.ownerToken();
      assert.ok(!JSON.stringify(received).includes(token));
    });

    it('reads the registry, the models and what is used of limits for the page', async () => {
      await host.receive({ type: 'request', id: 1, method: 'GET', path: '/api/v1/registry' });
      await host.receive({ type: 'request', id: 2, method: 'GET', path: '/api/llm/models' });
      const registry = registryViewSchema.parse(replyOf(received, 1).body);
      assert.ok(registry.groups.some(({ name }) => name === 'common'));
      await host.receive({ type: 'request', id: 7, method: 'GET', path: '/api/v1/limits' });
      const { counters } = limitListSchema.parse(replyOf(received, 7).body);
      assert.ok(counters.some(({ policy }) => policy === 'probe-day'));
      const models = modelListSchema.parse(replyOf(received, 2).body);
      assert.ok(models.data.some(({ id }) => id === 'demo/planner'));
    });

    it('refuses a path that is not of the contract, and drops what is no message', async () => {
      await host.receive({ type: 'request', id: 3, method: 'GET', path: '/api/v1/tokens' });
      assert.equal(replyOf(received, 3).status, 0);
      await host.receive({ type: 'eval', code: '1' });
      assert.equal(received.length, 1);
    });

    it('relays an agent run: text, tool calls with arguments, results, the end (P88)', async () => {
      await host.receive({ type: 'run', id: 4, body: RUN });
      assert.deepEqual(received.at(-1), { type: 'end', id: 4 });
      const chunks = chunksOf(received, 4);
      const results = chunks.flatMap(({ toolgate }) => (toolgate?.type === 'tool.result' ? [toolgate] : []));
      assert.deepEqual(
        results.map(({ tool, isError }) => [tool, isError]),
        [
          ['add', false],
          ['multiply', false],
        ],
      );
      const text = chunks.flatMap(({ choices }) => choices.map(({ delta }) => delta.content ?? '')).join('');
      assert.match(text, /20/);
      const done = chunks.find(({ toolgate }) => toolgate?.type === 'run.done')?.toolgate;
      assert.equal(done?.type === 'run.done' ? done.status : undefined, 'completed');
    });

    it("gives the gateway's own words when it refuses a run", async () => {
      const body = { ...RUN, mcp_servers: [{ integration_fqn: 'toolgate:common:missing' }] };
      await host.receive({ type: 'run', id: 5, body });
      const end = received.at(-1);
      assert.match(end?.type === 'end' ? (end.error ?? '') : '', /missing/);
    });

    it('lets go of the runs of a page that is closed', async () => {
      const run = host.receive({ type: 'run', id: 6, body: RUN });
      host.dispose();
      await run;
      assert.deepEqual(received, []);
    });
  });
}

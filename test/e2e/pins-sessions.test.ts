import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { describe, expect, it } from 'vitest';
import { configOf } from '../support/configs.ts';
import { ask as askModern, type Message } from '../support/modern.ts';
import { EVIL, SAFE, change, changes, connect, decide, refusal, toolNames, world } from '../support/pins.ts';

describe('a session with a connection of its own', () => {
  const both = { tools: { list: SAFE }, samplingTools: { sample: {} } };
  const asking = { sampling: {} };

  it('sees what its server shows to such clients first, and no change of that without review', async () => {
    const it = await world(both);
    const { gateway } = it;
    const client = await connect(gateway, undefined, asking);
    expect(await toolNames(client)).toEqual(['list', 'sample']);
    expect(await client.callTool({ name: 'sample' })).toMatchObject({ content: [{ text: 'sample' }] });
    await client.close();
    await it.server.set({ tools: { list: SAFE }, samplingTools: { sample: EVIL, extra: {} } });
    const next = await connect(gateway, undefined, asking);
    expect(await toolNames(next)).toEqual(['list']);
    expect(await next.callTool({ name: 'sample' })).toMatchObject({
      _meta: { 'toolgate/refusal': { reason: 'quarantined' } },
    });
    const waiting = await changes(it);
    expect(waiting).toMatchObject([
      { name: 'sample', change: 'changed', offeredTo: ['sampling'] },
      { name: 'extra', change: 'new', offeredTo: ['sampling'] },
    ]);
    expect(await decide(it, 'accept', waiting)).toBe(200);
    expect(await toolNames(next)).toEqual(['list', 'sample', 'extra']);
    expect(await next.callTool({ name: 'sample' })).toMatchObject({ content: [{ text: 'sample' }] });
    expect(await toolNames(await connect(gateway))).toEqual(['list']);
  });

  it('is no way past the review: what others know by a name is compared with that', async () => {
    const it = await world(both);
    await it.server.set({ tools: { list: EVIL }, samplingTools: { sample: {} } });
    const client = await connect(it.gateway, undefined, asking);
    expect(await toolNames(client)).toEqual(['sample']);
    expect(await client.callTool({ name: 'list' })).toMatchObject(refusal);
  });

  it('is told when something is accepted that it could not see', async () => {
    const it = await world(both);
    const client = await connect(it.gateway, undefined, asking);
    await toolNames(client);
    await client.close();
    await it.server.set({ tools: { list: EVIL } });
    const next = await connect(it.gateway, undefined, asking);
    expect(await toolNames(next)).toEqual([]);
    let told = false;
    next.setNotificationHandler(ToolListChangedNotificationSchema, () => {
      told = true;
    });
    await decide(it, 'accept', await changes(it));
    await expect.poll(() => told, { timeout: 20_000 }).toBe(true);
    expect(await toolNames(next)).toEqual(['list']);
  });
});

describe('a client of the modern era', () => {
  for (const [who, capabilities, tools] of [
    ['that cannot be asked', {}, ['add']],
    ['that can be asked', { sampling: {} }, ['add', 'sample']],
  ] as const) {
    it(`${who} neither sees nor calls what waits for review`, async () => {
      const before = { tools: { list: SAFE, add: {} }, samplingTools: { sample: {} } };
      const it = await world(before, ', protocol: legacy');
      const ask = (method: string, params = {}): Promise<Message> =>
        askModern(it.gateway, '/mcp/common/notes', method, params, { capabilities });
      await change(it, { ...before, tools: { list: EVIL, add: {} } });
      const { result } = await ask('tools/list');
      expect((result!['tools'] as { name: string }[]).map(({ name }) => name).toSorted()).toEqual(tools);
      expect((await ask('tools/call', { name: 'list', arguments: {} })).result).toMatchObject(refusal);
    });
  }
});

describe('a virtual server', () => {
  it('neither shows nor calls a picked tool that waits for review, and says so', async () => {
    const picked =
      '{ name: safe, virtual: [{ server: "common:notes", tools: [list, add], rename: { list: all } }] }';
    const config = (groups: Parameters<typeof configOf>[0]): string =>
      configOf({ ...groups, team: [picked] });
    const it = await world({ tools: { list: SAFE, add: {} } }, '', config);
    const client = await connect(it.gateway, '/mcp/team/safe');
    expect(await toolNames(client)).toEqual(['all', 'add']);
    await change(it, { tools: { list: EVIL, add: {} } });
    expect(await toolNames(client)).toEqual(['add']);
    expect(await client.callTool({ name: 'all' })).toMatchObject({
      _meta: { 'toolgate/refusal': { reason: 'quarantined', rule: 'pins' } },
    });
    await decide(it, 'accept', await changes(it));
    expect(await client.callTool({ name: 'all' })).toMatchObject({ content: [{ text: 'list' }] });
  });
});

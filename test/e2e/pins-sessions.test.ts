import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { describe, expect, it } from 'vitest';
import { EVIL, SAFE, changes, connect, decide, refusal, toolNames, world } from '../support/pins.ts';

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

import { expect, it, vi } from 'vitest';
import { startApprovalWebhooks } from '../../../gateway/approvals/webhooks.ts';
import { webhookEvent } from '../../../gateway/approvals/event.ts';
import type { ApprovalWebhook } from '../../../gateway/config/policies/approvals.ts';
import { createSignedPosts } from '../../../gateway/upstream/signed-posts.ts';
import { askFor, createWorld } from './world.ts';

/** P65 A program that does not answer keeps no other from being told. */
it('a webhook that hangs takes nothing from another, and is told of no more than it can hold', async () => {
  const world = await createWorld();
  const { desk } = await world.open();
  const webhook = (name: string): ApprovalWebhook => ({
    ...{ name, url: `https://${name}.example`, secret: '${secret:X}', allowPrivateAddress: false },
  });
  const told: string[] = [];
  const dropped: string[] = [];
  const posts = createSignedPosts({
    resolve: () => 'secret',
    fetchAnswer: (url) => {
      if (url.includes('hangs')) return new Promise(() => undefined);
      told.push(url);
      return Promise.resolve(new Response('{}'));
    },
    now: () => world.now,
  });
  const stop = startApprovalWebhooks({
    ...{ desk, posts, webhooks: () => [webhook('hangs'), webhook('answers')] },
    eventOf: (record, one) => webhookEvent(record, one, 'http://gateway', null),
    onFailed: (name) => dropped.push(name),
  });
  for (let index = 0; index < 130; index++)
    await desk.open(askFor(`${index}`, { subject: `user:${index % 10}` }));
  await vi.waitFor(() => expect(told).toHaveLength(130), 10_000);
  expect(dropped).toEqual(Array<string>(30).fill('hangs'));
  stop();
  await world.close();
});

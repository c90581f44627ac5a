import { setImmediate } from 'node:timers/promises';
import { beforeEach, expect, it } from 'vitest';
import { createSignedPosts, type SignedPosts, type Webhook } from '../../../gateway/upstream/signed-posts.ts';

/** What becomes of messages when the gateway stops. Signatures and tries are in the e2e tests of budgets and approvals. */
const HOOK: Webhook = {
  ...{ name: 'bot', url: 'https://bot.example', secret: '${secret:X}', allowPrivateAddress: false },
};
let answers: ((response: Response | Error) => void)[];
let lost: string[];
let posts: SignedPosts;

beforeEach(() => {
  answers = [];
  lost = [];
  posts = createSignedPosts({
    resolve: () => 'secret',
    fetchAnswer: () =>
      new Promise((resolve, reject) =>
        answers.push((answer) => (answer instanceof Error ? reject(answer) : resolve(answer))),
      ),
    now: () => 0,
  });
});

const send = (): void => posts.send(HOOK, {}, (error) => lost.push(String(error)));

it('those that were sent are waited for', async () => {
  send();
  let closed = false;
  const closing = posts.close().then(() => (closed = true));
  await setImmediate();
  expect(closed).toBe(false);
  answers[0]!(new Response('{}'));
  await closing;
  expect(lost).toEqual([]);
});

it('one that would be tried again is given up, at once and not in silence', async () => {
  send();
  send();
  answers[0]!(new Response('', { status: 503 }));
  await setImmediate();
  const closing = posts.close();
  answers[1]!(new Error('not there'));
  await closing;
  expect(lost.toSorted()).toEqual(['Error: it answered HTTP 503', 'Error: not there']);
  expect(answers).toHaveLength(2);
});

it('one that is never answered does not keep the gateway', async () => {
  send();
  await posts.close();
  expect(answers).toHaveLength(1);
});

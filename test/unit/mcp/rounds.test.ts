import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import { asksForInput, continueInRounds } from '../../../gateway/mcp/rounds.ts';
import { newFacts, type Call, type Outcome } from '../../../gateway/pipeline/call.ts';

const QUESTION = { method: 'elicitation/create', params: { message: 'Who?' } };
const asks = (more: JsonObject): Outcome => ({ ok: true, result: { resultType: 'input_required', ...more } });
const DONE: Outcome = { ok: true, result: { resultType: 'complete', content: [] } };

const call = (signal = new AbortController().signal): Call => ({
  traceId: '0'.repeat(32),
  source: 'mcp',
  principal: undefined,
  target: { serverId: 'g:s', kind: 'tool', name: 'deploy' },
  params: { name: 'deploy', arguments: { to: 'prod' } },
  signal,
  facts: newFacts(1),
});

/** What the retries were sent with, while the server answers with these outcomes, one after the other. */
async function rounds(
  outcomes: readonly Outcome[],
  answer: (params: JsonObject) => Promise<JsonObject> = () => Promise.resolve({ action: 'accept' }),
  made = call(),
): Promise<{ outcome: Outcome; sent: JsonObject[]; asked: string[] }> {
  const [first, ...rest] = outcomes;
  const sent: JsonObject[] = [];
  const asked: string[] = [];
  const outcome = await continueInRounds(
    {
      run: ({ params }) => {
        sent.push(params);
        return Promise.resolve(rest.shift() ?? DONE);
      },
    },
    made,
    first ?? DONE,
    (method, params) => {
      asked.push(method);
      return answer(params);
    },
  );
  return { outcome, sent, asked };
}

const ARGUMENTS = { name: 'deploy', arguments: { to: 'prod' } };

describe('a call that comes back with questions', () => {
  it('is sent again with the answers and the exact state, and without the state of earlier rounds', async () => {
    const { outcome, sent, asked } = await rounds([
      asks({ inputRequests: { who: QUESTION, where: { method: 'roots/list' } }, requestState: 'one' }),
      asks({ inputRequests: { sure: QUESTION } }),
    ]);
    expect(sent).toEqual([
      {
        ...ARGUMENTS,
        inputResponses: { who: { action: 'accept' }, where: { action: 'accept' } },
        requestState: 'one',
      },
      { ...ARGUMENTS, inputResponses: { sure: { action: 'accept' } } },
    ]);
    expect(asked).toEqual(['elicitation/create', 'roots/list', 'elicitation/create']);
    expect(outcome).toBe(DONE);
  });

  it('that asks for nothing but another try gets it, with its state', async () => {
    const { sent } = await rounds([asks({ requestState: 'busy' })]);
    expect(sent).toEqual([{ ...ARGUMENTS, requestState: 'busy' }]);
  });

  it('P84 that the pipeline refuses meanwhile ends there, with the refusal', async () => {
    const refusal: Outcome = { ok: false, refusal: { reason: 'unauthenticated', message: 'revoked' } };
    const { outcome, sent } = await rounds([asks({ inputRequests: { who: QUESTION } }), refusal]);
    expect(outcome).toBe(refusal);
    expect(sent).toHaveLength(1);
  });

  it('without end is cut off', async () => {
    const { outcome, sent } = await rounds(
      Array.from({ length: 20 }, () => asks({ inputRequests: { who: QUESTION } })),
    );
    expect(sent).toHaveLength(10);
    expect(outcome).toMatchObject({
      ok: false,
      refusal: { reason: 'input-required', message: expect.stringContaining('after 10 rounds') as string },
    });
  });

  it('whose question is not answered ends with the reason, and is not sent again', async () => {
    const { outcome, sent } = await rounds([asks({ inputRequests: { who: QUESTION } })], () =>
      Promise.reject(new Error('the user closed the window')),
    );
    expect(sent).toEqual([]);
    expect(outcome).toMatchObject({
      refusal: { message: 'deploy: what the server asked for could not be had: the user closed the window' },
    });
  });

  it('that is cancelled while the client is asked has been cancelled', async () => {
    const cancel = new AbortController();
    const { outcome } = await rounds(
      [asks({ inputRequests: { who: QUESTION } })],
      () => {
        cancel.abort();
        return Promise.reject(new Error('aborted'));
      },
      call(cancel.signal),
    );
    expect(outcome).toMatchObject({ refusal: { reason: 'cancelled' } });
  });

  it('gives a question that is answered at an address the id that legacy clients expect', async () => {
    let asked: JsonObject = {};
    const url = { method: 'elicitation/create', params: { mode: 'url', url: 'https://example.com' } };
    await rounds([asks({ inputRequests: { who: url } })], (params) => {
      asked = params;
      return Promise.resolve({ action: 'accept' });
    });
    expect(asked).toMatchObject({ mode: 'url', url: 'https://example.com' });
    expect(asked['elicitationId']).toEqual(expect.any(String));
  });
});

it('a result that says nothing of its type is a result', () => {
  expect(asksForInput({ ok: true, result: { content: [] } })).toBe(false);
  expect(asksForInput(DONE)).toBe(false);
});

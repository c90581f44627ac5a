import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { isJsonObject, type JsonObject } from '../contract/json.ts';
import type { Call, Outcome, Pipeline } from '../pipeline/call.ts';
import { describeError } from '../upstream/errors.ts';

/** Asks a caller what a server wants to know; rejects with words for the caller's model. */
export type Fulfil = (method: string, params: JsonObject, signal: AbortSignal) => Promise<JsonObject>;

/** How often one call may come back with questions. */
const MAX_ROUNDS = 10;
/** The pause before a retry that the server asked for without a question. */
const PAUSE_MS = 250;
const INPUT_REQUIRED = 'input_required';

/** Whether a call came back with questions instead of a result (MCP 2026-07-28, Multi Round-Trip Requests). */
export function asksForInput(outcome: Outcome): outcome is Extract<Outcome, { readonly ok: true }> {
  return outcome.ok && outcome.result['resultType'] === INPUT_REQUIRED;
}

/**
 * Ends a call that came back with questions, for a client that is asked over its session: the client is asked, and
 * the call is sent again with its answers. Each round is a call through the pipeline, judged and recorded as any
 * other. The call's facts tell, as time of the upstream, that of all rounds and of the client's answers.
 */
export async function continueInRounds(
  pipeline: Pipeline,
  call: Call,
  first: Outcome,
  fulfil: Fulfil,
): Promise<Outcome> {
  let outcome = first;
  for (let round = 1; asksForInput(outcome); round++) {
    if (round > MAX_ROUNDS) return failed(call, `the server still asks for more after ${MAX_ROUNDS} rounds`);
    const { inputRequests, requestState } = outcome.result;
    const began = performance.now();
    let answers: JsonObject | undefined;
    try {
      answers = await answerAll(inputRequests, fulfil, call.signal);
    } catch (error) {
      return failed(call, `what the server asked for could not be had: ${describeError(error)}`);
    } finally {
      call.facts.upstreamMs += performance.now() - began;
    }
    const { inputResponses: _former, requestState: _used, ...params } = call.params;
    const next: Call = {
      ...call,
      params: {
        ...params,
        ...(answers && { inputResponses: answers }),
        ...(requestState !== undefined && { requestState }),
      },
      facts: { ...call.facts, upstreamMs: 0, responseBytes: null },
    };
    outcome = await pipeline.run(next);
    call.facts.upstreamMs += next.facts.upstreamMs;
  }
  return outcome;
}

/** The answers under the questions' keys, asked all at once; undefined when the server only wants another try. */
async function answerAll(
  requests: unknown,
  fulfil: Fulfil,
  signal: AbortSignal,
): Promise<JsonObject | undefined> {
  const asked = isJsonObject(requests) ? Object.entries(requests) : [];
  if (asked.length === 0) {
    await sleep(PAUSE_MS, undefined, { signal });
    return undefined;
  }
  const failure = new AbortController();
  const until = AbortSignal.any([signal, failure.signal]);
  try {
    const answers = asked.map(async ([key, request]) => {
      if (!isJsonObject(request)) throw new Error(`the question "${key}" is none`);
      const params = isJsonObject(request['params']) ? request['params'] : {};
      return [key, await fulfil(String(request['method']), completed(params), until)] as const;
    });
    return Object.fromEntries(await Promise.all(answers));
  } finally {
    // One question without an answer makes the others pointless.
    failure.abort();
  }
}

/** A question as a legacy client knows it: one to be answered at an address has an id there. */
function completed(params: JsonObject): JsonObject {
  return params['mode'] === 'url' && params['elicitationId'] === undefined
    ? { ...params, elicitationId: randomUUID() }
    : params;
}

function failed({ signal, target }: Call, why: string): Outcome {
  if (signal.aborted)
    return { ok: false, refusal: { reason: 'cancelled', message: 'the call was cancelled' } };
  return { ok: false, refusal: { reason: 'input-required', message: `${target.name}: ${why}` } };
}

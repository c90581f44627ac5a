import { ModelError } from '../models/model.ts';
import type { ActivityStore } from '../storage/contracts.ts';
import { newRecordId } from '../telemetry/record-id.ts';
import type { ModelCall, ModelStage } from './model-call.ts';
import { metadataText, notesText } from './record.ts';

/** Records what became of a call of a model, refusals included. Outermost. */
export function modelRecordStage(activity: ActivityStore, now: () => number): ModelStage {
  return async function* record(call, next) {
    const startedAt = now();
    const began = performance.now();
    const { facts } = call;
    // A reader that goes away in the middle ends the call without an error.
    let outcome = 'cancelled';
    let rule: string | null = null;
    try {
      for await (const event of next(call)) {
        if (event.type !== 'usage') facts.timeToFirstTokenMs ??= performance.now() - began;
        if (event.type === 'finish') outcome = 'ok';
        yield event;
      }
      if (outcome !== 'ok') throw new ModelError('stream-broken', 'The model stopped before it was done.');
    } catch (error) {
      outcome = error instanceof ModelError ? error.reason : 'internal-error';
      rule = error instanceof ModelError ? (error.rule ?? null) : null;
      throw error;
    } finally {
      activity.append(toRecord(call, { startedAt, durationMs: performance.now() - began, outcome, rule }));
    }
  };
}

function toRecord(
  { traceId, runId, source, principal, model, metadata, facts }: ModelCall,
  ended: { readonly startedAt: number; durationMs: number; outcome: string; rule: string | null },
): Parameters<ActivityStore['append']>[0] {
  return {
    id: newRecordId(ended.startedAt),
    traceId,
    runId: runId ?? null,
    ...ended,
    upstreamMs: ended.durationMs,
    kind: 'model',
    source,
    subject: principal.subject,
    tokenId: principal.tokenId,
    server: model.provider.name,
    upstream: null,
    name: model.model,
    retries: 0,
    cache: null,
    approval: null,
    notes: notesText(facts.notes),
    metadata: metadataText(metadata),
    cost: facts.cost,
    requestBytes: null,
    responseBytes: null,
    inputTokens: facts.inputTokens,
    outputTokens: facts.outputTokens,
    timeToFirstTokenMs: facts.timeToFirstTokenMs,
  };
}

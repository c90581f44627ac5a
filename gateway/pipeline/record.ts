import type { CallRecord } from '../contract/activity.ts';
import { newRecordId } from '../telemetry/record-id.ts';
import type { Call, Note, Outcome } from './call.ts';

/** A caller chooses the name it calls; a longer one is cut in the record. */
const NAME_LIMIT = 1_000;

/** Notes as the record keeps them: one a line, `effect rule`. */
export function notesText(notes: readonly Note[]): string | null {
  return notes.length === 0 ? null : notes.map(({ rule, effect }) => `${effect} ${rule}`).join('\n');
}

export function metadataText(metadata: Call['metadata']): string | null {
  return metadata === undefined ? null : JSON.stringify(metadata);
}

/** The activity record of a call that has ended: names and sizes, never a payload. */
export function toRecord(
  call: Call,
  outcome: Outcome,
  measured: {
    readonly startedAt: number;
    readonly durationMs: number;
    readonly server: string;
    readonly upstream: string | null;
  },
): CallRecord {
  return {
    id: newRecordId(measured.startedAt),
    traceId: call.traceId,
    runId: call.runId ?? null,
    startedAt: measured.startedAt,
    durationMs: measured.durationMs,
    upstreamMs: call.facts.upstreamMs,
    kind: call.target.kind,
    source: call.source,
    subject: call.principal?.subject ?? null,
    tokenId: call.principal?.tokenId ?? null,
    server: measured.server,
    upstream: measured.upstream,
    name: call.target.name.slice(0, NAME_LIMIT),
    outcome: outcome.ok ? (outcome.result['isError'] === true ? 'tool_error' : 'ok') : outcome.refusal.reason,
    rule: outcome.ok ? null : (outcome.refusal.rule ?? null),
    retries: call.facts.retries,
    cache: call.facts.cache,
    approval: call.facts.approval,
    notes: notesText(call.facts.notes),
    metadata: metadataText(call.metadata),
    cost: null,
    requestBytes: call.facts.requestBytes,
    responseBytes: call.facts.responseBytes,
    inputTokens: null,
    outputTokens: null,
    timeToFirstTokenMs: null,
  };
}

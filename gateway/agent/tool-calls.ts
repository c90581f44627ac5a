import * as z from 'zod';
import type { KeptResults } from '../bounds/kept-results.ts';
import type {
  ApprovalRequired,
  ApprovalResolved,
  AuthRequired,
  AuthResolved,
  GuardrailTriggered,
} from '../contract/agent.ts';
import { READ_RESULT, readResultSchema } from '../contract/read-result.ts';
import { isJsonObject, type JsonObject } from '../contract/json.ts';
import type { Principal } from '../identity/principal.ts';
import { nearest } from '../config/nearest.ts';
import type { ResolvedModel } from '../models/models.ts';
import { failedToolText } from '../models/tool-failure.ts';
import { newFacts, type ApprovalTalk, type Call, type Outcome, type Pipeline } from '../pipeline/call.ts';
import type { Offer, Offered } from './offer.ts';
import type { CallResult, Stand } from './stand.ts';
import { resultText } from './tool-text.ts';
import type { WantedCall } from './turn.ts';

export interface CallContext {
  readonly runId: string;
  readonly traceId: string;
  readonly principal: Principal;
  /** What asks for the calls. */
  readonly model: Pick<ResolvedModel, 'id'>;
  readonly offer: Offer;
  readonly pipeline: Pipeline;
  readonly kept: KeptResults;
  readonly signal: AbortSignal;
  /** Where the run stands while calls of it wait for approval; undefined once none does. */
  readonly onStand?: ((stand: Stand | undefined) => void) | undefined;
  readonly metadata?: Call['metadata'];
  readonly fresh?: Call['fresh'];
  /** Tells whoever reads the run of what policies note on the way. */
  readonly onNote?: ((event: GuardrailTriggered) => void) | undefined;
  /** Tells whoever reads the run that a call waits for a sign-in; without it such a call fails. */
  readonly onConsent?: ((event: AuthRequired | AuthResolved) => void) | undefined;
  /** The same for a call that waits for approval: without it such a call waits for a moment, then fails. */
  readonly onApproval?: ((event: ApprovalRequired | ApprovalResolved) => void) | undefined;
}

/** Calls of one turn beyond this many are refused, so that one answer cannot flood the servers. */
const MAX_CALLS = 64;
/** Structured content beyond this many characters stays out of the facts; its text is in the result. */
const MAX_STRUCTURED = 256 * 1024;

/**
 * Runs the calls of one turn in parallel and tells of each as it ends. Whatever goes wrong with a call is a
 * result that the model reads, never an error here. Calls whose results `stand` has are not made again.
 */
export async function runCalls(
  context: CallContext,
  calls: readonly WantedCall[],
  stand: Stand,
  onResult: (call: WantedCall, result: CallResult) => void,
): Promise<void> {
  /** Of the calls that wait for approval. */
  let waiting = 0;
  const onApproval = watchApprovals(context, (change) => {
    waiting += change;
    if (waiting > 0) context.onStand?.(stand);
  });
  await Promise.all(
    calls.map(async (call, index) => {
      if (stand.results.has(call.id)) return;
      const result =
        index < MAX_CALLS ? await runCall({ ...context, onApproval }, call) : tooMany(context.offer, call);
      onResult(call, result);
      if (waiting > 0) context.onStand?.(stand);
    }),
  );
  context.onStand?.(undefined);
}

/** Counts what waits. */
function watchApprovals(
  { onApproval }: CallContext,
  onChange: (change: 1 | -1) => void,
): CallContext['onApproval'] {
  if (onApproval === undefined) return undefined;
  return (event) => {
    onApproval(event);
    onChange(event.type === 'tool.approval_required' ? 1 : -1);
  };
}

async function runCall(context: CallContext, call: WantedCall): Promise<CallResult> {
  const { offer } = context;
  if (call.name === READ_RESULT && offer.reads === true) return readOn(context, call);
  const offered = offer.tools.get(call.name);
  if (!offered) return failure(offered, call, unknownFunction(call.name, offer));
  const parsed = parseArguments(call.arguments);
  if (typeof parsed === 'string') return failure(offered, call, parsed);
  const started = performance.now();
  const outcome = await context.pipeline.run(toCall(context, offered, call.id, parsed));
  return toResult(offered, outcome, performance.now() - started);
}

/** A page of a large result: it goes the way of the call it came of. */
async function readOn(context: CallContext, call: WantedCall): Promise<CallResult> {
  const parsed = parseArguments(call.arguments);
  const wanted = readResultSchema.safeParse(typeof parsed === 'string' ? {} : parsed);
  const problem = typeof parsed === 'string' ? parsed : wanted.error && z.prettifyError(wanted.error);
  if (wanted.data === undefined) return failure(undefined, call, problem ?? 'the arguments do not fit');
  const result = context.kept.find(wanted.data.reference, context.principal.subject);
  const offered = [...context.offer.tools.values()].find(
    ({ entry, tool }) => entry.id === result?.serverId && tool === result.tool,
  );
  if (result === undefined || offered === undefined)
    return failure(undefined, call, `There is no result "${wanted.data.reference}" of this run's tools.`);
  const started = performance.now();
  const page = { ...toCall(context, offered, call.id, result.arguments), page: wanted.data };
  return toResult(offered, await context.pipeline.run(page), performance.now() - started);
}

function toCall(
  { runId, traceId, principal, model, metadata, fresh, signal, onConsent, onApproval, onNote }: CallContext,
  { entry, tool }: Offered,
  toolCallId: string,
  args: JsonObject,
): Call {
  return {
    traceId,
    runId,
    source: 'agent',
    principal,
    model: model.id,
    target: { serverId: entry.id, kind: 'tool', name: tool },
    params: { name: tool, arguments: args },
    metadata,
    fresh,
    signal,
    ...(onNote !== undefined && {
      onNote: (note) => onNote({ type: 'guardrail.triggered', ...note, server: entry.fqn, tool }),
    }),
    ...(onApproval !== undefined && { approvalTalk: tellApproval(onApproval, toolCallId, entry.fqn, tool) }),
    ...(onConsent !== undefined && { onConsent: waitForConsent(onConsent, tool, signal) }),
    facts: newFacts(null),
  };
}

/** The run waits for as long as it takes, and its readers are told. */
function tellApproval(
  tell: NonNullable<CallContext['onApproval']>,
  toolCallId: string,
  server: string,
  tool: string,
): ApprovalTalk {
  return {
    patient: true,
    required: ({ id, url, message, approvers, expiresAt }) =>
      tell({
        type: 'tool.approval_required',
        ...{ id, toolCallId, server, tool, url, message, expiresAt },
        approvers: [...approvers],
      }),
    resolved: (id, { verdict, by, reason }) =>
      tell({
        type: 'tool.approval_resolved',
        ...{ id, toolCallId, server, tool, verdict },
        ...(by !== undefined && { by }),
        ...(reason !== undefined && { reason }),
      }),
  };
}

function waitForConsent(
  tell: NonNullable<CallContext['onConsent']>,
  tool: string,
  signal: AbortSignal,
): NonNullable<Call['onConsent']> {
  return ({ id, server, url, expiresAt, given }, message) => {
    tell({ type: 'mcp.auth_required', id, server, tool, url, message, expiresAt });
    void given(signal).then((done) => tell({ type: 'mcp.auth_resolved', id, server, given: done }));
    return Promise.resolve(true);
  };
}

function toResult({ entry, tool }: Offered, outcome: Outcome, durationMs: number): CallResult {
  const base = { server: entry.fqn, tool, durationMs };
  if (!outcome.ok) {
    return { content: failedToolText(outcome.refusal.message), facts: { ...base, isError: true } };
  }
  const { result } = outcome;
  const structured = result['structuredContent'];
  const fits = structured !== undefined && JSON.stringify(structured).length <= MAX_STRUCTURED;
  const facts = {
    ...base,
    isError: result['isError'] === true,
    ...(fits ? { structuredContent: structured } : {}),
  };
  return { content: resultText(result), facts };
}

/** The arguments, or what is wrong with them. */
function parseArguments(text: string): JsonObject | string {
  // Models write nothing at all for a tool without parameters.
  if (text.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return `The arguments are not valid JSON (${why}). Nothing was called; call again with one JSON object.`;
  }
  return isJsonObject(value)
    ? value
    : 'The arguments are not a JSON object. Nothing was called; call again with one.';
}

function unknownFunction(name: string, offer: Offer): string {
  const names = [...offer.tools.keys()];
  const close = nearest(name, names);
  const there = names.length === 0 ? 'No tools are on offer.' : `On offer: ${names.slice(0, 50).join(', ')}.`;
  return `There is no tool "${name}".${close ? ` Did you mean "${close}"?` : ''} ${there}`;
}

function tooMany(offer: Offer, call: WantedCall): CallResult {
  const reason = `No more than ${MAX_CALLS} tools are called in one turn. Nothing was called; call again in the next turn.`;
  return failure(offer.tools.get(call.name), call, reason);
}

/** A call that reached no server. */
function failure(offered: Offered | undefined, call: WantedCall, reason: string): CallResult {
  const facts = {
    server: offered?.entry.fqn ?? '',
    tool: offered?.tool ?? call.name,
    isError: true,
    durationMs: 0,
  };
  return { content: failedToolText(reason), facts };
}

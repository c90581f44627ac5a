import { randomBytes } from 'node:crypto';
import type { KeptResults } from '../bounds/kept-results.ts';
import { READ_RESULT_TOOL } from '../contract/read-result.ts';
import type { ToolSpec } from '../models/model.ts';
import type {
  AgentCompletion,
  AgentRequest,
  GuardrailTriggered,
  RunStatus,
  RunView,
} from '../contract/agent.ts';
import type { Principal } from '../identity/principal.ts';
import type { ResolvedModel } from '../models/models.ts';
import { Suspended, type Note, type Pipeline } from '../pipeline/call.ts';
import type { ModelPipeline } from '../pipeline/model-call.ts';
import { newTraceId } from '../telemetry/trace.ts';
import { AgentError, toAgentError } from './errors.ts';
import { createEventLog, type EventLog, type LoggedEvent } from './event-log.ts';
import { runLoop, type LoopEnd, type RunProgress } from './loop.ts';
import { listOffer, type Offer } from './offer.ts';
import type { CallResult, Stand } from './stand.ts';
import { createTranscript } from './transcript.ts';

export interface RunDeps {
  readonly pipeline: Pipeline;
  readonly kept: KeptResults;
  readonly modelPipeline: ModelPipeline;
  readonly now: () => number;
  /** Whether the model may still be asked. */
  readonly permitted: () => boolean;
  /** Keeps where a run stands that waits for approval, over a restart too; undefined when it waits no more. */
  readonly keep: (run: Pick<Run, 'id' | 'subject' | 'tokenId'>, state: KeptState | undefined) => void;
  /** Told of each run that is over for good, by its id. */
  readonly onRunOver: (id: string) => void;
  /** A failure that is the gateway's own. */
  readonly onFault: (error: unknown) => void;
}

export interface RunOrder {
  readonly principal: Principal;
  readonly request: AgentRequest;
  /** What the caller says of the run. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** The caller wants no tool's result that was kept. */
  readonly fresh?: boolean | undefined;
  readonly model: ResolvedModel;
  readonly offer: Offer;
  /** When the request arrived, as `performance.now()`. */
  readonly arrived: number;
  /** Where the run stood before the gateway's restart. */
  readonly from?: KeptState | undefined;
}

/** All that a run needs to go on after a restart. Everything in it is JSON. */
export interface KeptState {
  readonly id: string;
  readonly traceId: string;
  readonly created: number;
  readonly request: AgentRequest;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly fresh?: boolean | undefined;
  readonly progress: RunProgress;
  readonly stand: Omit<Stand, 'results'> & { readonly results: readonly (readonly [string, CallResult])[] };
  readonly callIds: readonly string[];
  readonly events: readonly LoggedEvent[];
  readonly hasSpoken: boolean;
}

/** One run of the agent, which goes on whether or not anybody reads it. */
export interface Run {
  readonly id: string;
  /** Whose it is. */
  readonly subject: string;
  /** The token that started it, by id. */
  readonly tokenId: string;
  readonly events: EventLog;
  /** Resolves with the model's first output, or when the run is over without one. */
  readonly started: Promise<void>;
  /** Resolves when the run is over and nothing is written any more. */
  readonly over: Promise<void>;
  /** Why it failed or that it was cancelled; undefined while it runs and when it came to its own end. */
  failure(): AgentError | undefined;
  /** True once the model has put out anything. */
  hasSpoken(): boolean;
  view(): RunView;
  /** The answer to `stream: false`, of a run that is over and did not fail. */
  completion(): AgentCompletion;
  /** Ends a run that is under way; without effect on any other. */
  cancel(): void;
  /** The same, but that one that waits for approval is left to go on after a restart. */
  suspend(): void;
}

const { name, description, inputSchema: parameters } = READ_RESULT_TOOL;
const READ_SPEC: ToolSpec = { name, description, parameters };
const LOG_LIMITS = { events: 20_000, size: 4 * 1024 * 1024 };

/** Starts a run. */
export function startRun(deps: RunDeps, order: RunOrder): Run {
  const { principal, request, model, offer, arrived, from } = order;
  const id = from?.id ?? `run_${randomBytes(16).toString('hex')}`;
  const traceId = from?.traceId ?? newTraceId();
  const created = from?.created ?? Math.floor(deps.now() / 1000);
  const events = createEventLog(LOG_LIMITS, from?.events);
  const transcript = createTranscript(events, { id, created, model: request.model });
  const controller = new AbortController();
  const progress: RunProgress = from?.progress ?? {
    iterations: 0,
    toolCalls: [],
    usage: undefined,
    answer: '',
  };
  const callIds = new Set(from?.callIds);
  const self = { id, subject: principal.subject, tokenId: principal.tokenId };
  let resolveStarted = (): void => undefined;
  const started = new Promise<void>((resolve) => {
    resolveStarted = resolve;
  });
  let status: RunStatus = 'running';
  let finishReason = 'stop';
  let failure: AgentError | undefined;
  let firstToken: number | undefined = from?.hasSpoken === true ? 0 : undefined;
  let kept = from !== undefined;
  let durationMs = 0;

  const onOutput = (): void => {
    firstToken ??= performance.now() - arrived;
    resolveStarted();
  };

  function conclude(end: LoopEnd | undefined): void {
    if (end) {
      ({ status, finishReason } = end);
      transcript.finish(finishReason, progress.usage);
    } else if (status === 'failed' && failure) transcript.error(failure);
    durationMs = performance.now() - arrived;
    deps.keep(self, undefined);
    deps.onRunOver(id);
    transcript.event({
      type: 'run.done',
      runId: id,
      status: status === 'running' ? 'failed' : status,
      iterations: progress.iterations,
      toolCalls: progress.toolCalls.length,
      durationMs,
      ...(firstToken === undefined ? {} : { timeToFirstTokenMs: firstToken }),
      ...(failure ? { error: failure.message } : {}),
    });
    if (end) transcript.done();
    events.end();
    resolveStarted();
  }

  function onStand(stand: Stand | undefined): void {
    if (controller.signal.aborted) return;
    kept = stand !== undefined;
    deps.keep(
      self,
      stand && {
        ...{ id, traceId, created, request, progress },
        metadata: order.metadata,
        fresh: order.fresh,
        stand: { ...stand, results: [...stand.results] },
        callIds: [...callIds],
        events: [...events.all()],
        hasSpoken: firstToken !== undefined,
      },
    );
  }

  async function go(): Promise<void> {
    const context = {
      runId: id,
      traceId,
      principal,
      model,
      offer,
      tools: [...offer.tools.values()].map(({ spec }) => spec).concat(offer.reads === true ? READ_SPEC : []),
      kept: deps.kept,
      pipeline: deps.pipeline,
      permitted: deps.permitted,
      modelPipeline: deps.modelPipeline,
      metadata: order.metadata,
      fresh: order.fresh,
      onNote: (note: Note | GuardrailTriggered) => transcript.event({ ...note, type: 'guardrail.triggered' }),
      onApproval: request.stream ? transcript.event : undefined,
      transcript,
      signal: controller.signal,
      callIds,
      onStand,
      onOutput,
      // Whoever waits for one answer could not be told.
      onConsent: request.stream ? transcript.event : undefined,
    };
    if (from === undefined)
      transcript.event({
        type: 'run.created',
        runId: id,
        traceId,
        model: request.model,
        iterationLimit: request.iteration_limit,
        tools: listOffer(offer),
        omitted: [...offer.omitted],
      });
    try {
      const stand = from && { ...from.stand, results: new Map(from.stand.results) };
      conclude(await runLoop(context, request, progress, stand));
    } catch (error) {
      if (controller.signal.reason instanceof Suspended) {
        events.end();
        return;
      }
      const cancelled = controller.signal.aborted;
      status = cancelled ? 'cancelled' : 'failed';
      failure = cancelled
        ? new AgentError('The run was cancelled.', { status: 409, code: 'cancelled' })
        : toAgentError(error);
      if (failure.status === 500) deps.onFault(error);
      conclude(undefined);
    }
  }

  const over = go();
  return {
    ...self,
    events,
    started,
    over,
    failure: () => failure,
    hasSpoken: () => firstToken !== undefined,
    view: () => ({
      id,
      object: 'agent.run',
      status,
      model: request.model,
      created,
      iterations: progress.iterations,
      toolCalls: progress.toolCalls.length,
      lastEventId: events.last(),
      ...(failure ? { error: failure.message } : {}),
    }),
    completion: () => ({
      id,
      object: 'chat.completion',
      created,
      model: request.model,
      choices: [
        { index: 0, message: { role: 'assistant', content: progress.answer }, finish_reason: finishReason },
      ],
      ...(progress.usage ? { usage: progress.usage } : {}),
      toolgate: {
        runId: id,
        status,
        iterations: progress.iterations,
        durationMs,
        toolCalls: progress.toolCalls,
      },
    }),
    cancel: () => {
      if (status === 'running') controller.abort();
    },
    suspend: () => {
      if (status === 'running') controller.abort(kept ? new Suspended() : undefined);
    },
  };
}

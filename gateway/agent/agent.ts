import type { Decide } from '../access/decide.ts';
import type { KeptResults } from '../bounds/kept-results.ts';
import type { AgentRequest } from '../contract/agent.ts';
import type { Principal } from '../identity/principal.ts';
import type { Models } from '../models/models.ts';
import type { Pipeline } from '../pipeline/call.ts';
import type { ModelPipeline } from '../pipeline/model-call.ts';
import type { Directory } from '../registry/directory.ts';
import type { Log } from '../telemetry/log.ts';
import type { PausedRun, RunStore } from '../storage/contracts.ts';
import { AgentError, toAgentError } from './errors.ts';
import { makeOffer } from './offer.ts';
import { startRun, type KeptState, type Run, type RunDeps, type RunOrder } from './run.ts';
import { createRuns, RUNS_LIMITS, type RunsLimits } from './runs.ts';

export interface AgentDeps {
  readonly models: Models;
  readonly decide: Decide;
  /** Whether the token that made a principal still holds. */
  readonly holds: (principal: Principal) => boolean;
  readonly directory: Directory;
  readonly pipeline: Pipeline;
  readonly modelPipeline: ModelPipeline;
  readonly log: Pick<Log, 'error'>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly runStore: RunStore;
  /** Results that are read page by page, and whether any rule asks for that. */
  readonly kept: KeptResults;
  readonly paging: () => boolean;
  /** The principal of a token by its id, as long as it holds. */
  readonly resume: (tokenId: string, subject: string) => Principal | undefined;
  readonly onRunOver: RunDeps['onRunOver'];
  readonly limits?: RunsLimits;
}

/** What a caller asks for. */
export interface AgentOrder {
  readonly principal: Principal;
  readonly request: AgentRequest;
  /** What the caller says of the run. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** The caller wants no tool's result that was kept. */
  readonly fresh?: boolean | undefined;
  /** When the request came, as `performance.now()`. */
  readonly arrived: number;
}

/** The agent: a model and the tools of MCP servers, in a loop. */
export interface Agent {
  /**
   * Starts a run. Rejects with an `AgentError` that
   * fits the caller: an unknown model, server or tool, or too many runs.
   */
  start(order: AgentOrder): Promise<Run>;
  /** A run of the principal's own, until 10 minutes after its end. Throws an `AgentError` (404). */
  run(principal: Principal, id: string): Run;
  /** Whether a run is under way, or waits to go on; true of any id until it is known which do. */
  goesOn(id: string): boolean;
  /** Goes on with the runs that waited for approval when the gateway ended. */
  restore(): Promise<void>;
  /** Cancels every run, but for those. */
  close(): void;
}

export function createAgent(deps: AgentDeps): Agent {
  const { directory, log } = deps;
  const runs = createRuns(deps.limits ?? RUNS_LIMITS);
  /** Runs of before the restart that are yet to go on; undefined until they have been read. */
  let resuming: Set<string> | undefined;
  const onFault = (error: unknown): void => {
    log.error({ err: error }, 'an agent run failed');
  };
  const keep: RunDeps['keep'] = (run, state) => {
    const done = state
      ? deps.runStore.save({ ...pick(run), state: JSON.stringify(state) })
      : deps.runStore.remove(run.id);
    done.catch(onFault);
  };
  const begin = (order: Omit<RunOrder, 'model' | 'offer'>, made: Pick<RunOrder, 'model' | 'offer'>): Run => {
    const { principal } = order;
    const permitted = (): boolean =>
      deps.holds(principal) &&
      deps.decide(principal, { action: 'model', model: made.model.id }).effect === 'allow';
    const run = startRun({ ...deps, keep, onFault, permitted }, { ...order, ...made });
    runs.add(run);
    return run;
  };
  const prepare = async (
    principal: Principal,
    request: AgentRequest,
  ): Promise<Pick<RunOrder, 'model' | 'offer'>> => {
    const model = resolveModel(deps, principal, request.model);
    await whatIsAskedFor(directory, principal, request.mcp_servers);
    const offer = makeOffer(directory, principal, request.mcp_servers, model.id);
    return { model, offer: { ...offer, reads: deps.paging() && offer.tools.size > 0 } };
  };
  const goOn = async ({ id, subject, tokenId, state }: PausedRun): Promise<void> => {
    const from = JSON.parse(state) as KeptState;
    const principal = deps.resume(tokenId, subject);
    try {
      if (principal === undefined)
        throw new AgentError('The token of this run does not hold any more.', {
          status: 401,
          code: 'invalid_api_key',
        });
      const { request, metadata, fresh } = from;
      const made = await prepare(principal, request);
      begin({ principal, request, metadata, fresh, arrived: performance.now(), from }, made);
    } catch (error) {
      const why = toAgentError(error).message;
      log.error({ run: id, why }, 'a run that waited for approval cannot go on');
      deps.onRunOver(id);
      await deps.runStore.remove(id);
    }
  };
  return {
    async start({ principal, request, metadata, fresh, arrived }) {
      const made = await prepare(principal, request);
      runs.admit(principal.subject);
      return begin({ principal, request, metadata, fresh, arrived }, made);
    },
    async restore() {
      const paused = await deps.runStore.all();
      const waiting = new Set(paused.map(({ id }) => id));
      resuming = waiting;
      await Promise.all(
        paused.map(async (run) => {
          await goOn(run).catch(onFault);
          waiting.delete(run.id);
        }),
      );
    },
    run: (principal, id) => runs.get(principal, id),
    goesOn: (id) => resuming === undefined || resuming.has(id) || runs.goesOn(id),
    close: () => {
      runs.close();
    },
  };
}

function pick({ id, subject, tokenId }: Pick<Run, 'id' | 'subject' | 'tokenId'>): Omit<PausedRun, 'state'> {
  return { id, subject, tokenId };
}

/**
 * Waits until it is known what the servers offer. A named tool that was not known from before the gateway's start
 * may be new, so its server is waited for.
 */
async function whatIsAskedFor(
  directory: Directory,
  principal: Principal,
  servers: AgentRequest['mcp_servers'],
): Promise<void> {
  const ids = (lacking: boolean): string[] =>
    servers.flatMap(({ integration_fqn, tools }) => {
      const entry = directory.server(principal, integration_fqn);
      if (entry === undefined) return [];
      const listed = directory.tools(principal, entry);
      const lacks = tools?.some((tool) => !listed.some(({ name }) => name === tool.name)) === true;
      return lacking && !lacks ? [] : [entry.id];
    });
  await directory.settled(ids(false));
  await directory.settled(ids(true), { afresh: true });
}

/** A model that the principal may not use is not told apart from one that is not there. */
function resolveModel(
  { models, decide }: AgentDeps,
  principal: Principal,
  name: string,
): ReturnType<Models['resolve']> {
  const may = (model: string): boolean => decide(principal, { action: 'model', model }).effect === 'allow';
  try {
    return models.resolve(name, may);
  } catch (error) {
    throw toAgentError(error);
  }
}

import type { Decide } from '../access/decide.ts';
import type { AgentRequest } from '../contract/agent.ts';
import type { Principal } from '../identity/principal.ts';
import type { Models } from '../models/models.ts';
import type { Pipeline } from '../pipeline/call.ts';
import type { ModelPipeline } from '../pipeline/model-call.ts';
import type { Directory } from '../registry/directory.ts';
import type { Log } from '../telemetry/log.ts';
import { toAgentError } from './errors.ts';
import { makeOffer } from './offer.ts';
import { startRun, type Run } from './run.ts';
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
  readonly limits?: RunsLimits;
}

/** What a caller asks for. */
export interface AgentOrder {
  readonly principal: Principal;
  readonly request: AgentRequest;
  /** What the caller says of the run. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
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
  /** Cancels every run. */
  close(): void;
}

export function createAgent(deps: AgentDeps): Agent {
  const { directory, log } = deps;
  const runs = createRuns(deps.limits ?? RUNS_LIMITS);
  const onFault = (error: unknown): void => {
    log.error({ err: error }, 'an agent run failed');
  };
  return {
    async start({ principal, request, metadata, arrived }) {
      const model = resolveModel(deps, principal, request.model);
      await whatIsAskedFor(directory, principal, request.mcp_servers);
      const offer = makeOffer(directory, principal, request.mcp_servers, model.id);
      runs.admit();
      const permitted = (): boolean =>
        deps.holds(principal) &&
        deps.decide(principal, { action: 'model', model: model.id }).effect === 'allow';
      const run = startRun(
        { ...deps, onFault, permitted },
        { principal, request, metadata, model, offer, arrived },
      );
      runs.add(run);
      return run;
    },
    run: (principal, id) => runs.get(principal, id),
    close: () => {
      runs.close();
    },
  };
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

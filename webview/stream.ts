import { agentChunkSchema, agentEventSchema, llmErrorSchema } from '../gateway/contract/agent.ts';
import type { AgentChunk } from '../gateway/contract/agent.ts';

/** One SSE event of a run, understood. `skipped`: of a kind this page does not know; newer gateways may send it. */
export type StreamItem =
  | { readonly type: 'chunk'; readonly chunk: AgentChunk }
  | { readonly type: 'error'; readonly message: string }
  | { readonly type: 'done' }
  | { readonly type: 'skipped' };

const chunkSchema = agentChunkSchema.extend({ toolgate: agentEventSchema.optional().catch(undefined) });

/**
 * Reads one SSE event of a run. `event` is its name, `message` when it has none. Never throws: an unnamed event
 * that is no chunk is an `error` that says so.
 */
export function readStreamEvent(event: string, data: string): StreamItem {
  if (data === '[DONE]') return { type: 'done' };
  let json: unknown;
  try {
    json = JSON.parse(data);
  } catch {
    return { type: 'error', message: `The gateway sent an event that is not JSON: ${data.slice(0, 200)}` };
  }
  const error = llmErrorSchema.safeParse(json);
  if (error.success) return { type: 'error', message: error.data.error.message };
  const chunk = chunkSchema.safeParse(json);
  if (chunk.success) {
    const { toolgate, ...rest } = chunk.data;
    return { type: 'chunk', chunk: toolgate === undefined ? rest : { ...rest, toolgate } };
  }
  if (event !== 'message') return { type: 'skipped' };
  return { type: 'error', message: `The gateway sent an event this page cannot read: ${data.slice(0, 200)}` };
}

import { isJsonObject, type JsonObject } from '../contract/json.ts';
import type { Catalog } from '../registry/catalog.ts';
import type { CatalogTool, Offered } from '../registry/entry.ts';
import { toSent } from '../registry/shape.ts';
import type { Call } from './call.ts';

/** Where a call goes and what is sent there. */
export interface Way {
  /** The server itself, where the call's is virtual. */
  readonly serverId: string;
  readonly params: JsonObject;
}

/** The tool that a call is for, as it is offered on the connection the call will take. */
export function toolOf(call: Call, catalog: Catalog): CatalogTool | undefined {
  return call.target.kind === 'tool' ? offeredTo(call, catalog)?.tools.get(call.target.name) : undefined;
}

/** The tool that a call is for, where nobody has accepted its definition: it is known, and not to be called. */
export function heldToolOf(call: Call, catalog: Catalog): CatalogTool | undefined {
  if (call.target.kind !== 'tool') return undefined;
  return offeredTo(call, catalog)?.quarantined.tools.get(call.target.name);
}

/** Whether a call gets, or completes an argument of, a prompt that nobody has accepted. */
export function isForHeldPrompt(call: Call, catalog: Catalog): boolean {
  const { target, params } = call;
  const ref = target.kind === 'completion' && isJsonObject(params['ref']) ? params['ref']['type'] : undefined;
  const prompt = target.kind === 'prompt' || ref === 'ref/prompt';
  return prompt && offeredTo(call, catalog)?.quarantined.prompts.has(target.name) === true;
}

function offeredTo({ own, target }: Call, catalog: Catalog): Offered | undefined {
  return own?.offered() ?? catalog.entry(target.serverId);
}

/** The server that a call ends at: the call's own, or the one behind its virtual server. */
export function serverOf(call: Call, catalog: Catalog): string {
  return toolOf(call, catalog)?.member?.serverId ?? call.target.serverId;
}

/** Turns a call's names and arguments into those the server knows. Undefined when it is for a tool that is not there. */
export function wayOf(call: Call, catalog: Catalog): Way | undefined {
  const { target, params } = call;
  if (target.kind !== 'tool') return { serverId: target.serverId, params };
  const tool = toolOf(call, catalog);
  if (tool === undefined) return undefined;
  const given = isJsonObject(params['arguments']) ? params['arguments'] : {};
  const sent = toSent(target.serverId, tool, given);
  if ('taken' in sent) return undefined;
  const { name } = sent.tool;
  const same = sent.arguments === given && name === params['name'];
  return { serverId: sent.serverId, params: same ? params : { ...params, name, arguments: sent.arguments } };
}

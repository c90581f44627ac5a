import type { JsonObject } from '../contract/json.ts';
import { askGuards, guardsBeside, guardsFor, type Guard } from '../guardrails/guard.ts';
import type { Hook } from '../config/policies/guardrails.ts';
import type { Principal } from '../identity/principal.ts';
import type { Note } from './call.ts';
import type { Ruling } from './ruling.ts';

/** What may pass of something said, or why nothing may, in words. */
export type Said = { readonly value: JsonObject } | { readonly blocked: string };

/** Shows guardrails what passes between one caller and one server beside calls and their results. */
export interface Aside {
  /** By the server: a log message, or a question to the caller's client. `method` is MCP's. */
  said(method: string, value: JsonObject): Promise<Said>;
  /** By the caller's client, which the server had asked with this method. */
  answered(method: string, value: JsonObject): Promise<Said>;
}

/** Undefined where no guardrail is about it. */
export type LookAside = (principal: Principal, serverId: string) => Aside | undefined;

/**
 * By the guardrails that can look at anything: those of `toolResult` at what a server says, those of `toolArguments` at
 * what it is answered. Nothing tells which call is meant, so a guardrail about any tool of the server counts.
 */
export function createAsides(
  ruling: () => Ruling,
  onNote: (serverId: string, note: Pick<Note, 'rule' | 'effect'>) => void,
): LookAside {
  return (principal, serverId) => {
    const { guards, facts } = ruling();
    if (guards.length === 0) return undefined;
    const seen = facts.aside(principal, serverId);
    const about = (hook: Hook): readonly Guard[] => guardsBeside(guardsFor(guards, hook, seen));
    const [from, to] = [about('toolResult'), about('toolArguments')];
    if (from.length === 0 && to.length === 0) return undefined;
    const look = async (
      hook: Hook,
      list: readonly Guard[],
      beside: string,
      value: JsonObject,
    ): Promise<Said> => {
      const asked = await askGuards(list, { hook, value, facts: seen, traceId: '', beside });
      for (const { rule, effect } of asked.notes) onNote(serverId, { rule, effect });
      return asked.blocked === undefined
        ? { value: asked.value as JsonObject }
        : { blocked: `${asked.blocked.message} (${asked.blocked.rule})` };
    };
    return {
      said: (method, value) => look('toolResult', from, method, value),
      answered: (method, value) => look('toolArguments', to, method, value),
    };
  };
}

import { llmErrorSchema } from '../gateway/contract/agent.ts';
import { problemSchema } from '../gateway/contract/problem.ts';

/** What a refusal says: the problem's or the LLM error's own words, or the status where it has none. */
export function refusalWords(status: number, body: unknown): string {
  const problem = problemSchema.safeParse(body);
  if (problem.success) {
    const { detail, rule } = problem.data;
    return rule === undefined ? detail : `${detail} (rule: ${rule})`;
  }
  const error = llmErrorSchema.safeParse(body);
  if (error.success) return error.data.error.message;
  if (status === 0) return typeof body === 'string' ? body : 'The gateway could not be reached.';
  return `The gateway answered with HTTP status ${String(status)} and no explanation.`;
}

/** The words of anything that was thrown. */
export function thrownWords(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** `3 tools`, `1 tool`. */
export function count(number: number, noun: string): string {
  return `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`;
}

/** A duration as people read it: `0.4 ms`, `85 ms`, `1.24 s`, `2 min 5 s`. */
export function duration(ms: number): string {
  if (ms < 1) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${String(Math.round(ms))} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${String(Math.floor(seconds / 60))} min ${String(seconds % 60)} s`;
}

/** A size in characters as people read it: `512 characters`, `14 k characters`, `2.1 M characters`. */
export function size(characters: number): string {
  if (characters < 1000) return count(characters, 'character');
  if (characters < 1_000_000) return `${String(Math.round(characters / 1000))} k characters`;
  return `${(characters / 1_000_000).toFixed(1)} M characters`;
}

/** The last part of `tenant:group:server`. */
export function shortName(fqn: string): string {
  return fqn.slice(fqn.lastIndexOf(':') + 1);
}

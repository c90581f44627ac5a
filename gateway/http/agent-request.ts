import type { z } from 'zod';
import { AgentError } from '../agent/errors.ts';
import { agentRequestSchema, agentServerSchema, type AgentRequest } from '../contract/agent.ts';
import { nearest } from '../config/nearest.ts';

/** The request in a body. Throws an `AgentError` (400) whose `param` names the first field that is wrong. */
export function parseAgentRequest(body: unknown): AgentRequest {
  const parsed = agentRequestSchema.safeParse(body);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const { param, message } = issue ? explain(issue) : { param: '', message: 'invalid request' };
  throw new AgentError(param === '' ? `The body: ${message}` : `${param}: ${message}`, {
    status: 400,
    code: 'invalid_request',
    param: param === '' ? undefined : param,
  });
}

function explain(issue: z.core.$ZodIssue): { param: string; message: string } {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys;
    const known = knownKeys(path);
    const close = nearest(key, known);
    const hint = close === undefined ? `known here: ${known.join(', ')}` : `did you mean "${close}"?`;
    return { param: [...path, key].join('.'), message: `unknown key; ${hint}` };
  }
  if (issue.code === 'invalid_union') {
    // The deepest complaint of the alternatives says most.
    const inner = issue.errors.flat().toSorted((a, b) => b.path.length - a.path.length)[0];
    if (inner && inner.path.length > 0) return explain({ ...inner, path: [...issue.path, ...inner.path] });
  }
  return { param: path.join('.'), message: issue.message };
}

/** The keys of the object at a path; `messages` is not strict. */
function knownKeys([top, , inner]: readonly string[]): string[] {
  if (top === undefined) return Object.keys(agentRequestSchema.shape);
  return inner === 'tools' ? ['name'] : Object.keys(agentServerSchema.shape);
}

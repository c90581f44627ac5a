import { isJsonObject, type JsonObject } from '../contract/json.ts';
import type { ApprovalAnswer, ApprovalRequest, ApprovalTalk } from '../pipeline/call.ts';
import { JsonRpcError } from '../upstream/errors.ts';
import { declares } from './modern/questions.ts';
import type { Route } from './relay.ts';

const METHOD = 'elicitation/create';

/** Whether a client declared that it asks a person to fill in a form (MCP, Elicitation, form mode). */
export function fillsForms(capabilities: JsonObject): boolean {
  return declares(capabilities, METHOD, { mode: 'form' });
}

/** The question whether a call may be made, as both eras spell it. */
export function approvalQuestion({ question }: ApprovalRequest): {
  readonly method: string;
  readonly params: JsonObject;
} {
  const requestedSchema = {
    type: 'object',
    properties: {
      decision: { type: 'string', title: 'Your decision', enum: ['approve', 'deny'] },
      reason: { type: 'string', title: 'Why', description: 'Told to whoever asked', maxLength: 1000 },
    },
    required: ['decision'],
  };
  return { method: METHOD, params: { message: question, requestedSchema } };
}

/** The word in a client's answer; undefined when the person gave none. */
export function approvalAnswer(answer: unknown): ApprovalAnswer | undefined {
  if (!isJsonObject(answer) || answer['action'] === 'cancel') return undefined;
  const content = isJsonObject(answer['content']) ? answer['content'] : {};
  const approve = answer['action'] === 'accept' && content['decision'] === 'approve';
  const reason = content['reason'];
  return { approve, reason: typeof reason === 'string' && reason !== '' ? reason.slice(0, 1000) : undefined };
}

/** Asks the person at the client of a legacy session, while the call waits. */
export function askApproval(route: Route): NonNullable<ApprovalTalk['ask']> {
  return async (request, signal) => {
    const { method, params } = approvalQuestion(request);
    try {
      return approvalAnswer(await route.ask(method, params, signal));
    } catch (error) {
      if (error instanceof JsonRpcError) return undefined;
      throw error;
    }
  };
}

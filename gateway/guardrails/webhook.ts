import * as z from 'zod';
import type { GuardrailConfig } from '../config/policies/guardrails.ts';
import { sign, SIGNATURE_HEADER } from '../credentials/signature.ts';
import { PASS, type Subject, type Verdict } from './guard.ts';
import type { Outside } from './outside.ts';

type WebhookConfig = Extract<GuardrailConfig, { kind: 'webhook' }>;

/** Characters of a result that is sent whole before it is cut; of a longer one the pieces are sent. */
export const WEBHOOK_CHARS = 1024 * 1024;

/** What a webhook answers. `result` is what is put in place, where it says `transformed`. */
const answerSchema = z.object({
  verdict: z.boolean(),
  transformed: z.boolean().optional(),
  result: z.unknown().optional(),
  message: z.string().max(1_000).optional(),
});

/** Asks a service of one's own: `{requestBody, responseBody, config, context}`, signed where there is a secret. */
export async function askWebhook(
  { name, url, headers, secret, config, operation, allowPrivateAddress }: WebhookConfig,
  subject: Subject,
  { fetchAnswer, resolve, now }: Outside,
): Promise<Verdict> {
  const { hook, value, facts, traceId, beside = null } = subject;
  const answers = hook === 'toolResult' || hook === 'modelOutput';
  const target = facts.targets.at(-1);
  const body = JSON.stringify({
    requestBody: answers ? null : value,
    responseBody: answers ? value : null,
    config,
    context: {
      ...{ hook, beside, traceId, metadata: facts.metadata },
      subject: facts.person.subject,
      server: target?.serverId ?? null,
      tool: target?.tool?.name ?? null,
      model: facts.model === '' ? null : facts.model,
    },
  });
  const sent: Record<string, string> = {
    ...Object.fromEntries(Object.entries(headers).map(([header, text]) => [header, resolve(text)])),
    'content-type': 'application/json',
    ...(secret !== undefined && { [SIGNATURE_HEADER]: sign(resolve(secret), body, now()) }),
  };
  const response = await fetchAnswer(url, { method: 'POST', headers: sent, body }, allowPrivateAddress);
  if (!response.ok) throw new Error(`it answered HTTP ${response.status}`);
  const answer = answerSchema.parse(await response.json());
  if (!answer.verdict) return { is: 'block', words: answer.message ?? `${name} does not allow it` };
  if (answer.transformed !== true || operation === 'validate') return PASS;
  if (typeof answer.result !== typeof value || Array.isArray(answer.result) !== Array.isArray(value))
    throw new Error('its result is of another type than what it was asked about');
  return { is: 'change', value: answer.result, words: answer.message ?? `${name} changed it` };
}

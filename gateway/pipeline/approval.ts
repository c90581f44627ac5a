import type { ApprovalPolicy } from '../access/policies.ts';
import type { PolicyFacts } from '../access/when.ts';
import type { ApprovalDesk, Ask } from '../approvals/desk.ts';
import { diffsIn } from '../approvals/diffs.ts';
import { ApprovalError } from '../approvals/errors.ts';
import type { JsonObject } from '../contract/json.ts';
import type { Principal } from '../identity/principal.ts';
import type { Catalog } from '../registry/catalog.ts';
import type { ApprovalRecord } from '../storage/contracts.ts';
import {
  Suspended,
  type ApprovalAnswer,
  type ApprovalRequest,
  type Call,
  type Next,
  type Outcome,
  type Stage,
} from './call.ts';
import { digestOf } from './canonical.ts';
import { refuse, refused } from './refuse.ts';
import type { Ruling } from './ruling.ts';
import { toolOf } from './way.ts';

export interface ApprovalStageDeps {
  readonly desk: ApprovalDesk;
  readonly ruling: () => Ruling;
  readonly catalog: Catalog;
  /** Masks what is secret in what approvers are shown. */
  readonly mask: (args: JsonObject) => JsonObject;
  /** Where a person decides the approval of this id. */
  readonly addressOf: (id: string) => string;
  /** What looks at a call again that waited: minutes may have passed. */
  readonly judges: readonly Stage[];
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
}

const TELL_EVERY_MS = 5_000;
/** Characters of the arguments in a question; the whole of them is at the approval's address. */
const MAX_ASKED = 2_000;
/** Equal calls may take each other's approval; after that often, somebody is playing. */
const MAX_ROUNDS = 5;

/** Holds back calls that a policy wants approved, until somebody has. */
export function approvalStage(deps: ApprovalStageDeps): Stage {
  return (call, next) => {
    const { policies, facts } = deps.ruling();
    if (policies.approvals.length === 0 || call.target.kind === 'logging') return next(call);
    const seen = facts.call(call);
    if (seen === undefined || call.principal === undefined)
      return refuse('unauthenticated', 'nobody is known to make this call');
    const due = dueOf(policies.approvals, seen);
    return due.length === 0 ? next(call) : gate(deps, call, call.principal, seen, due, next);
  };
}

/** The first policy of each source that is about the call. */
function dueOf(policies: readonly ApprovalPolicy[], facts: PolicyFacts): ApprovalPolicy[] {
  const due: ApprovalPolicy[] = [];
  for (const policy of policies)
    if (!due.some(({ source }) => source === policy.source) && policy.applies(facts)) due.push(policy);
  return due;
}

async function gate(
  deps: ApprovalStageDeps,
  call: Call,
  principal: Principal,
  facts: PolicyFacts,
  due: readonly ApprovalPolicy[],
  next: Next,
): Promise<Outcome> {
  const asks = due.map((policy) => ({ policy, ask: askOf(deps, call, facts, policy) }));
  let waited = false;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    for (const { policy, ask } of asks) {
      if (await deps.desk.mayPass(ask)) continue;
      const refusal = await obtain(deps, call, principal, ask, policy);
      if (refusal !== undefined) return refusal;
      waited = true;
    }
    const full = await call.places?.retake();
    if (full !== undefined) return refused(full);
    // All have been approved, and it can be made: only now is any of it spent.
    const spent = await spendAll(
      deps.desk,
      asks.map(({ ask }) => ask),
    );
    if (spent === undefined) continue;
    call.facts.approval = spent;
    const judges = waited ? deps.judges : [];
    return judges.reduceRight<Next>((inner, judge) => (judged) => judge(judged, inner), next)(call);
  }
  return refuse('approval-required', `${call.target.name}: other equal calls took its approvals; try again`);
}

/** The ids of what let the call through; undefined when an equal call was faster. */
async function spendAll(desk: ApprovalDesk, asks: readonly Ask[]): Promise<string | undefined> {
  const ids: string[] = [];
  for (const ask of asks) {
    const passed = await desk.pass(ask);
    if (passed === undefined) return undefined;
    ids.push(passed.id);
  }
  return ids.join(' ');
}

/** Asks, and waits for the word. Undefined when it was given. */
async function obtain(
  deps: ApprovalStageDeps,
  call: Call,
  principal: Principal,
  ask: Ask,
  policy: ApprovalPolicy,
): Promise<Outcome | undefined> {
  const { desk } = deps;
  let record: ApprovalRecord;
  try {
    record = await desk.open(ask);
  } catch (error) {
    if (!(error instanceof ApprovalError)) throw error;
    return refuse(
      'overloaded',
      `${call.target.name}: ${error.message}; wait until some are decided`,
      policy.path,
    );
  }
  if (record.status === 'denied') return denied(call, record, policy);
  const request = requestOf(deps, principal, record);
  const { approvalTalk: talk } = call;
  talk?.required?.(request);
  const over = new AbortController();
  const signal = AbortSignal.any([call.signal, over.signal]);
  const asking = request.own ? talk?.ask?.(request, signal) : undefined;
  if (asking === 'later') return waiting(request, policy);
  let timer: NodeJS.Timeout | undefined;
  const losePatience = (): void => {
    timer ??= setTimeout(() => over.abort(), policy.policy.wait);
  };
  // Whoever is asked may take the time that there is.
  if (asking !== undefined)
    asking
      .then((answer) => takeWord(desk, principal, record.id, answer))
      .then((taken) => taken || losePatience())
      .catch(deps.onError);
  else if (talk?.patient !== true) losePatience();
  const telling = tellOf(call, request);
  call.places?.release();
  try {
    const settled = await desk.settled(record.id, signal);
    const status = settled?.status ?? (call.signal.aborted ? 'cancelled' : 'pending');
    if (call.signal.aborted) {
      // A run that was ended comes back for nothing; a client may only have lost its patience.
      const forGood = talk?.patient === true && !(call.signal.reason instanceof Suspended);
      if (forGood) await desk.cancel(record.id);
      talk?.resolved?.(record.id, { verdict: 'cancelled' });
      return await refuse('cancelled', 'the call was cancelled');
    }
    if (status === 'pending') return waiting(request, policy);
    const { decision } = settled ?? record;
    const verdict = status === 'spent' ? 'approved' : status;
    talk?.resolved?.(record.id, { verdict, by: decision?.by, reason: decision?.reason });
    if (verdict === 'approved') return undefined;
    return verdict === 'denied' ? denied(call, settled ?? record, policy) : lapsed(call, policy);
  } finally {
    clearTimeout(timer);
    clearInterval(telling);
    over.abort();
  }
}

/** Decides by the caller's own word; false when there was none, or it does not count. */
async function takeWord(
  desk: ApprovalDesk,
  principal: Principal,
  id: string,
  answer: ApprovalAnswer | undefined,
): Promise<boolean> {
  if (answer === undefined) return false;
  const { approve, reason } = answer;
  const verdict = approve ? 'approved' : 'denied';
  try {
    await desk.decide(principal, id, {
      verdict,
      via: 'elicitation',
      ...(reason !== undefined && { reason }),
    });
  } catch (error) {
    // Somebody else was faster, or they may not: what holds is what the desk says.
    if (!(error instanceof ApprovalError)) throw error;
    return false;
  }
  return true;
}

/** Keeps the caller's connection alive and its person informed. */
function tellOf({ onProgress }: Call, { message }: ApprovalRequest): NodeJS.Timeout | undefined {
  if (onProgress === undefined) return undefined;
  let progress = 0;
  const tell = (): void => onProgress({ progress: ++progress, message });
  tell();
  return setInterval(tell, TELL_EVERY_MS);
}

function askOf(
  { catalog, mask }: ApprovalStageDeps,
  call: Call,
  facts: PolicyFacts,
  { policy, path, source }: ApprovalPolicy,
): Ask {
  const { target, principal } = call;
  const entry = catalog.entry(target.serverId);
  const tool = toolOf(call, catalog);
  const subject = principal?.subject ?? '';
  // With another policy, server or definition of the tool, it would be another thing that was approved.
  const version = digestOf([policy, path, entry?.config ?? null, tool?.own ?? null]);
  const kind = target.kind === 'tool' ? [] : [target.kind];
  const family = [subject, target.serverId, target.name, version, ...kind];
  const args = target.kind === 'tool' ? facts.args : call.params;
  const masked = mask(args);
  const title = tool?.shown['title'] ?? tool?.shown['description'];
  return {
    family: digestOf(family),
    binding: digestOf([...family, call.params['arguments'] ?? call.params]),
    subject,
    expires: policy.expires,
    content: {
      source: call.source,
      model: call.model ?? null,
      runId: call.runId ?? null,
      traceId: call.traceId,
      server: entry?.fqn ?? target.serverId,
      serverId: target.serverId,
      group: source === 'policies' ? target.serverId.slice(0, target.serverId.indexOf(':')) : source,
      session: call.runId ?? call.session ?? null,
      tool: target.name,
      description: typeof title === 'string' ? title : null,
      arguments: masked,
      diffs: diffsIn(masked),
      reason: policy.reason ?? `${target.name} needs approval`,
      rule: path,
      approvers: [...policy.approvers],
      fourEyes: policy.fourEyes,
    },
  };
}

function requestOf(
  { desk, addressOf, now }: ApprovalStageDeps,
  principal: Principal,
  record: ApprovalRecord,
): ApprovalRequest {
  const { id, content, expiresAt } = record;
  const by = content.approvers.length === 0 ? 'who manages it' : content.approvers.join(', ');
  const minutes = Math.max(1, Math.round((expiresAt - now()) / 60_000));
  const url = addressOf(id);
  return {
    id,
    server: content.server,
    tool: content.tool,
    url,
    message: `${content.tool} of ${content.server} waits for approval by ${by}, within ${minutes} min, at ${url}`,
    question: `${content.reason}\n\n${content.tool} of ${content.server} is to be called with ${shortened(JSON.stringify(content.arguments))}`,
    approvers: content.approvers,
    expiresAt,
    own: desk.refusal(principal, record) === undefined,
  };
}

function shortened(text: string): string {
  return text.length <= MAX_ASKED ? text : `${text.slice(0, MAX_ASKED)}… (${text.length} characters in all)`;
}

function waiting(request: ApprovalRequest, { path }: ApprovalPolicy): Outcome {
  const message = `${request.message}. Nothing was done yet. Once it is approved, make the same call again with the same arguments: it goes through once`;
  return refused({ reason: 'approval-required', message, rule: path, approval: request });
}

function denied({ target }: Call, { decision }: ApprovalRecord, { path }: ApprovalPolicy): Outcome {
  const why = decision?.reason === undefined ? '' : `: ${decision.reason}`;
  const message = `${target.name} was denied by ${decision?.by ?? 'somebody'}${why}. Nothing was done. Do not make this call again as it is`;
  return refused({ reason: 'approval-denied', message, rule: path });
}

function lapsed({ target }: Call, { path }: ApprovalPolicy): Outcome {
  const message = `${target.name}: nobody approved it in time. Nothing was done. Ask a person before you call it again`;
  return refused({ reason: 'approval-denied', message, rule: path });
}

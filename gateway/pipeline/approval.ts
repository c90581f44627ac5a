import { compileMatcher } from '../access/match.ts';
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
import { serverOf, toolOf } from './way.ts';

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

const destroys = compileMatcher('@destructive');
const TELL_EVERY_MS = 5_000;
/** Characters of the arguments in a question; the whole of them is at the approval's address. */
const MAX_ASKED = 2_000;
/** Each word that a call waits for takes one, and each approval that an equal call took; beyond, somebody is playing. */
const MAX_ROUNDS = 12;
/** As JSON: somebody has to read them, and all that wait are looked through again and again. */
const MAX_ARGUMENT_CHARS = 1_000_000;

/** Holds back calls that a policy wants approved, until somebody has. */
export function approvalStage(deps: ApprovalStageDeps): Stage {
  return (call, next) => {
    const { policies } = deps.ruling();
    if (policies.approvals.length === 0 || call.target.kind === 'logging') return next(call);
    // A later round of a call that was approved: it is one call, however often its server asks.
    if (call.facts.approval !== null) return next(call);
    const { principal } = call;
    if (principal === undefined) return refuse('unauthenticated', 'nobody is known to make this call');
    const about = policiesOf(deps, call);
    const [first] = about;
    if (first === undefined) return next(call);
    const chars = JSON.stringify(call.params).length;
    if (chars > MAX_ARGUMENT_CHARS) return tooLarge(call, chars, first);
    return gate(deps, call, principal, dueOf(deps, call, about), next);
  };
}

/** By the rules as they are: the first policy of each source that is about a call. */
function policiesOf({ ruling }: ApprovalStageDeps, call: Call): readonly ApprovalPolicy[] {
  const { policies, facts } = ruling();
  const seen = facts.call(call);
  const about: ApprovalPolicy[] = [];
  if (seen === undefined) return about;
  for (const policy of policies.approvals)
    if (!about.some(({ group }) => group === policy.group) && policy.applies(seen)) about.push(policy);
  return about;
}

/** What has to be approved of a call, by the policies that are about it. */
function dueOf(deps: ApprovalStageDeps, call: Call, about = policiesOf(deps, call)): Due[] {
  const seen = deps.ruling().facts.call(call);
  if (seen === undefined) return [];
  return about.map((policy) => ({ policy, ask: askOf(deps, call, seen, policy) }));
}

interface Due {
  readonly policy: ApprovalPolicy;
  readonly ask: Ask;
}

async function gate(
  deps: ApprovalStageDeps,
  call: Call,
  principal: Principal,
  asked: readonly Due[],
  next: Next,
): Promise<Outcome> {
  let due = asked;
  let waited = false;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const lacking = await firstLacking(deps.desk, due);
    if (lacking !== undefined) {
      const refusal = await obtain(deps, call, principal, lacking.ask, lacking.policy);
      if (refusal !== undefined) return refusal;
      waited = true;
      // The rules may have changed meanwhile: what was approved by others is another thing.
      due = dueOf(deps, call);
      continue;
    }
    const full = await call.places?.retake();
    if (full !== undefined) return refused(full);
    // All have been approved, and it can be made: only now is any of it spent.
    const spent = await deps.desk.pass(due.map(({ ask }) => ask));
    if (spent === undefined) continue;
    if (spent.length > 0) call.facts.approval = spent.join(' ');
    const judges = waited ? deps.judges : [];
    return judges.reduceRight<Next>((inner, judge) => (judged) => judge(judged, inner), next)(call);
  }
  return refuse('approval-required', `${call.target.name}: other equal calls took its approvals; try again`);
}

async function firstLacking(desk: ApprovalDesk, due: readonly Due[]): Promise<Due | undefined> {
  for (const one of due) if (!(await desk.mayPass(one.ask))) return one;
  return undefined;
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
    // Taken back by another run that made the same call: this one asks for itself.
    if (verdict === 'approved' || verdict === 'cancelled') return undefined;
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
  { policy, path, group }: ApprovalPolicy,
): Ask {
  const { target, principal } = call;
  const entry = catalog.entry(target.serverId);
  // The server behind a virtual one gets the call: it counts, and so do those who manage it.
  const behind = serverOf(call, catalog);
  const tool = toolOf(call, catalog);
  const subject = principal?.subject ?? '';
  // With another policy, server or definition of the tool, it would be another thing that was approved.
  const configs = [entry?.config ?? null, catalog.entry(behind)?.config ?? null];
  const version = digestOf([policy, path, configs, behind, tool?.own ?? null]);
  const kind = target.kind === 'tool' ? [] : [target.kind];
  const family = [subject, target.serverId, target.name, version, ...kind];
  const args = target.kind === 'tool' ? facts.args : call.params;
  const masked = mask(args);
  const title = tool?.shown['title'] ?? tool?.shown['description'];
  return {
    family: digestOf(family),
    binding: digestOf([...family, target.kind === 'tool' ? (call.params['arguments'] ?? {}) : call.params]),
    subject,
    expires: policy.expires,
    content: {
      source: call.source,
      model: call.model ?? null,
      runId: call.runId ?? null,
      traceId: call.traceId,
      server: entry?.fqn ?? target.serverId,
      serverId: target.serverId,
      group: group ?? behind.slice(0, behind.indexOf(':')),
      session: call.runId ?? call.session ?? null,
      // A resource's address is the caller's own words.
      tool: String(mask({ name: target.name })['name']),
      description: typeof title === 'string' ? title : null,
      arguments: masked,
      diffs: diffsIn(masked),
      reason: policy.reason ?? `${target.name} needs approval`,
      rule: path,
      approvers: [...policy.approvers],
      fourEyes: policy.fourEyes,
      destructive: facts.targets.some(({ tool: one }) => one !== undefined && destroys(one)),
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

function tooLarge({ target }: Call, chars: number, { path }: ApprovalPolicy): Promise<Outcome> {
  const message = `${target.name}: the call has to be approved, and its arguments are ${chars} characters, more than the ${MAX_ARGUMENT_CHARS} that are put before anybody; make them smaller`;
  return refuse('too-large', message, path);
}

function lapsed({ target }: Call, { path }: ApprovalPolicy): Outcome {
  const message = `${target.name}: nobody approved it in time. Nothing was done. Ask a person before you call it again`;
  return refused({ reason: 'approval-denied', message, rule: path });
}

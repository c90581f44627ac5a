import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MayApprove } from '../access/approve.ts';
import type { ApprovalDecision, ApprovalScope } from '../contract/approvals.ts';
import { WHOLE_SCOPE, type Principal } from '../identity/principal.ts';
import type {
  ApprovalContent,
  ApprovalRecord,
  ApprovalStore,
  Approver,
  GrantRecord,
} from '../storage/contracts.ts';
import { ApprovalError } from './errors.ts';

/** A call that needs somebody's word, with all that the word is bound to. */
export interface Ask {
  /** SHA-256, hex: of caller, server, tool, arguments and policy; and of the same without the arguments. */
  readonly binding: string;
  readonly family: string;
  readonly subject: string;
  readonly content: ApprovalContent;
  /** For how long it can be decided, and the decision be used, in milliseconds. */
  readonly expires: number;
}

/**
 * Where calls that need approval are put down, decided and let through. An approval lets one call through, however
 * many try; a standing one those of one caller and one tool while it lasts.
 */
export interface ApprovalDesk {
  /**
   * Lets a call through for which each of these was approved, by a standing approval or by one that was given for it:
   * the ids of those. Undefined when one is lacking, or an equal call was faster; then none of them is spent.
   */
  pass(asks: readonly Ask[]): Promise<readonly string[] | undefined>;
  /** Whether this was; nothing is spent. */
  mayPass(ask: Ask): Promise<boolean>;
  /** The denial of the same call that still holds, else the request that waits: a new one if need be. */
  open(ask: Ask): Promise<ApprovalRecord>;
  /** Resolves when a request is decided or expires; undefined when `signal` aborts first. */
  settled(id: string, signal: AbortSignal): Promise<ApprovalRecord | undefined>;
  get(id: string): Promise<ApprovalRecord | undefined>;
  list(query: { readonly pending: boolean; readonly limit: number }): Promise<ApprovalRecord[]>;
  /** Throws an `ApprovalError`: not there, not theirs to decide, or decided by now. */
  decide(
    principal: Principal,
    id: string,
    word: Pick<ApprovalDecision, 'verdict' | 'via' | 'reason' | 'person'> & {
      readonly scope?: ApprovalScope;
    },
  ): Promise<ApprovalRecord>;
  /** What an approval of it for the `session` would last for; null where it belongs to none, or that is over. */
  lasts(record: ApprovalRecord): 'run' | 'session' | null;
  /** Undefined where the principal may approve it; else why not. */
  refusal(principal: Principal, record: ApprovalRecord): string | undefined;
  /** Whether the principal may take a standing approval back: as who gave it, or could have, or manages the group. */
  mayRevoke(principal: Principal, grant: GrantRecord): boolean;
  /** Takes a request back that nobody waits for any more. */
  cancel(id: string): Promise<void>;
  grants(): Promise<GrantRecord[]>;
  removeGrant(id: string): Promise<void>;
  /** Takes back what was let stand for a session or run, which is over. */
  endSession(session: string): void;
  /** Called with what is new or has changed; with nothing where that is a standing approval. Returns the way to stop it. */
  onChange(listener: (record: ApprovalRecord | undefined) => void): () => void;
  close(): void;
}

export interface DeskDeps {
  readonly store: ApprovalStore;
  readonly mayApprove: MayApprove;
  /** Whether a run or MCP session of this id is under way, or will be: what stands for any other is dropped. */
  readonly goesOn: (session: string) => boolean;
  /** Makes visible what of others' words nobody would see. */
  readonly show: (text: string) => string;
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
}

/**
 * Requests of one caller, and of all, that may wait at once: more would bury the approvers. And what they may hold, since
 * all that wait are read at once to be listed.
 */
const MOST_WAITING = { each: 50, all: 1_000, bytesEach: 8_000_000, bytesAll: 32_000_000 };
/** Another gateway on the same store may have decided; and time passes. */
const LOOK_EVERY_MS = 1_000;
/** A standing approval for a run or session ends at the latest after this. */
const LONGEST_SESSION_MS = 8 * 60 * 60_000;

export function createApprovalDesk(deps: DeskDeps): ApprovalDesk {
  const { store, now } = deps;
  const listeners = new Set<(record: ApprovalRecord | undefined) => void>();
  const tell = (record: ApprovalRecord | undefined): void => {
    for (const listener of listeners) listener(record);
  };
  let used = false;
  const look = async (): Promise<void> => {
    const swept = await store.sweepGrants(now(), deps.goesOn);
    if (swept || used) tell(undefined);
    used = false;
    (await store.expire(now())).forEach(tell);
  };
  const looking = setInterval(() => void look().catch(deps.onError), LOOK_EVERY_MS).unref();
  const found = async (id: string): Promise<ApprovalRecord> => {
    const record = await store.get(id);
    if (record === undefined) throw new ApprovalError('missing', `there is no approval "${id}"`);
    return record;
  };
  const refusal = (principal: Principal, { subject, content }: ApprovalRecord): string | undefined => {
    const decision = deps.mayApprove(principal, { caller: subject, ...termsOf(content) });
    return decision.effect === 'allow' ? undefined : decision.reason;
  };
  /** Whether somebody who decided still may: they can have been disabled, or have left the team. */
  const stillMay = (
    decision: (Approver & { readonly by: string }) | null,
    { subject, content }: { readonly subject: string; readonly content: Terms },
  ): boolean => {
    if (decision === null) return false;
    const { by, administrator, teams } = decision;
    const principal = { subject: by, tokenId: '', administrator, claims: { teams }, scope: WHOLE_SCOPE };
    return deps.mayApprove(principal, { caller: subject, ...termsOf(content) }).effect === 'allow';
  };
  /** What lets a call through. A denial of just that call holds against whatever else was allowed. */
  const wayFor = async ({ binding, family, content }: Ask): Promise<Way | undefined> => {
    const time = now();
    if ((await store.find(binding, ['denied'], time)) !== undefined) return undefined;
    const approved = await store.find(binding, ['approved'], time);
    if (approved !== undefined && stillMay(approved.decision, approved)) return { approval: approved.id };
    const lasting = (await store.grants(time, family)).find(
      (grant) =>
        (grant.session === null || grant.session === content.session) &&
        stillMay(grant, { subject: grant.subject, content: grant }),
    );
    return lasting && { grant: lasting.id };
  };
  const lasts = ({ content: { session, runId } }: ApprovalRecord): 'run' | 'session' | null => {
    if (session === null || !deps.goesOn(session)) return null;
    return runId === null ? 'session' : 'run';
  };
  const grantFor = (
    record: ApprovalRecord,
    decision: Approver & { readonly by: string },
    scope: Exclude<ApprovalScope, 'once'>,
  ): GrantRecord => {
    const { subject, family, content } = record;
    const minutes = scope === 'session' ? LONGEST_SESSION_MS / 60_000 : scope.minutes;
    return {
      id: `grant_${randomBytes(12).toString('hex')}`,
      ...{ family, subject, by: decision.by },
      ...{ administrator: decision.administrator, teams: decision.teams },
      server: content.server,
      tool: content.tool,
      ...termsOf(content),
      ...(scope === 'session'
        ? { session: content.session, lasts: lasts(record) }
        : { session: null, lasts: null }),
      createdAt: now(),
      expiresAt: now() + minutes * 60_000,
      uses: 0,
    };
  };

  return {
    pass: async (asks) => {
      const ways = await Promise.all(asks.map(wayFor));
      if (!ways.every((way) => way !== undefined)) return undefined;
      const approvals = ways.flatMap((way) => ('approval' in way ? way.approval : []));
      const grants = ways.flatMap((way) => ('grant' in way ? way.grant : []));
      if (!(await store.take({ approvals, grants }, now()))) return undefined;
      used ||= grants.length > 0;
      for (const id of approvals) tell(await store.get(id));
      return [...approvals, ...grants];
    },
    mayPass: async (ask) => (await wayFor(ask)) !== undefined,
    open: async (ask) => {
      const { binding, family, subject, content, expires } = ask;
      const time = now();
      const opened = await store.add(
        {
          id: `apr_${randomBytes(12).toString('hex')}`,
          ...{ status: 'pending', binding, family, subject },
          ...{ createdAt: time, expiresAt: time + expires },
          ...{ content, decision: null },
        },
        MOST_WAITING,
      );
      if ('full' in opened)
        throw new ApprovalError(
          'full',
          `${opened.full} calls of ${subject} wait for approval already, and no more may, or nothing as large`,
        );
      if (opened.added) tell(opened.record);
      return opened.record;
    },
    settled: async (id, signal) => {
      while (!signal.aborted) {
        if ((await store.status(id)) !== 'pending') return store.get(id);
        await change(listeners, id, signal);
      }
      return undefined;
    },
    get: (id) => store.get(id),
    list: ({ pending, limit }) => store.list({ ...(pending && { status: 'pending' as const }), limit }),
    lasts,
    refusal,
    mayRevoke: (principal, { subject: caller, group, approvers, by }) =>
      principal.subject === by ||
      [approvers, []].some(
        (who) =>
          deps.mayApprove(principal, { caller, group, approvers: who, fourEyes: false }).effect === 'allow',
      ),
    decide: async (principal, id, { verdict, via, reason, person, scope = 'once' }) => {
      const record = await found(id);
      const why = refusal(principal, record);
      // Whoever asked may take it back, and so deny it.
      if (why !== undefined && !(verdict === 'denied' && principal.subject === record.subject))
        throw new ApprovalError('forbidden', why);
      if (verdict === 'approved' && scope === 'session' && lasts(record) === null)
        throw new ApprovalError('unfit', `${noSession(record)}; approve it once, or for minutes`);
      const decision = {
        ...{ verdict, via },
        by: principal.subject,
        ...{ administrator: principal.administrator, teams: [...principal.claims.teams] },
        at: now(),
        ...(person !== undefined && { person: deps.show(person) }),
        ...(reason !== undefined && { reason: deps.show(reason) }),
        ...(verdict === 'approved' && { scope }),
      };
      if (!(await store.settle(id, verdict, decision, now())))
        throw new ApprovalError('decided', decidedText(await found(id)));
      if (verdict === 'approved' && scope !== 'once') await store.addGrant(grantFor(record, decision, scope));
      const settled = await found(id);
      tell(settled);
      return settled;
    },
    cancel: async (id) => {
      if (await store.settle(id, 'cancelled', null, now())) tell(await store.get(id));
    },
    grants: () => store.grants(now()),
    removeGrant: async (id) => {
      if (!(await store.removeGrant(id))) throw new ApprovalError('missing', `there is no grant "${id}"`);
      tell(undefined);
    },
    endSession: (session) => {
      store.removeGrantsOf(session).then((some) => some && tell(undefined), deps.onError);
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => clearInterval(looking),
  };
}

type Terms = Pick<ApprovalContent, 'group' | 'approvers' | 'fourEyes'>;

/** By what a call goes through: an approval that is spent, or a grant that lasts. */
type Way = { readonly approval: string } | { readonly grant: string };

function termsOf({ group, approvers, fourEyes }: Terms): Terms {
  return { group, approvers, fourEyes };
}

function noSession({ content: { session, runId } }: ApprovalRecord): string {
  if (session === null) return 'the call belongs to no run or session';
  return `the ${runId === null ? 'session' : 'run'} that made the call is over, so that nothing can stand for it`;
}

/** Resolves soon after a request may have changed. */
async function change(
  listeners: Set<(record: ApprovalRecord | undefined) => void>,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  const woken = new AbortController();
  const listener = (record: ApprovalRecord | undefined): void => {
    if (record?.id === id) woken.abort();
  };
  listeners.add(listener);
  const until = AbortSignal.any([woken.signal, signal]);
  await sleep(LOOK_EVERY_MS, undefined, { signal: until, ref: false }).catch(() => undefined);
  listeners.delete(listener);
}

function decidedText({ status, decision }: ApprovalRecord): string {
  if (decision !== null) return `it was ${decision.verdict} by ${decision.by}`;
  return status === 'cancelled'
    ? 'the call was taken back'
    : 'its time is over; the call has to be made again';
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApprovalDesk, type ApprovalDesk, type Ask } from '../../../gateway/approvals/desk.ts';
import type { Principal } from '../../../gateway/identity/principal.ts';
import { WHOLE_SCOPE } from '../../../gateway/identity/principal.ts';
import type { ApprovalStore } from '../../../gateway/storage/contracts.ts';
import { openApprovalStore } from '../../../gateway/storage/sqlite-approval-store.ts';

/** Gateways' desks on one file, a clock that stands still, and who may approve. */
export interface World {
  readonly file: string;
  now: number;
  /** Who may approve nothing any more. */
  readonly barred: Set<string>;
  /** Sessions that do not go on. */
  readonly over: Set<string>;
  /** One more gateway. */
  open(): Promise<{ readonly desk: ApprovalDesk; readonly store: ApprovalStore; close(): Promise<void> }>;
  close(): Promise<void>;
}

export async function createWorld(): Promise<World> {
  const dir = await mkdtemp(join(tmpdir(), 'toolgate-desk-'));
  const opened: { close(): Promise<void> }[] = [];
  const barred = new Set<string>();
  const over = new Set<string>();
  const world: World = {
    file: join(dir, 'approvals.db'),
    now: 1_000_000,
    ...{ barred, over },
    open: async () => {
      const store = await openApprovalStore(world.file);
      const desk = createApprovalDesk({
        store,
        mayApprove: ({ subject }, { caller, fourEyes }) =>
          barred.has(subject) || (fourEyes && subject === caller)
            ? { effect: 'deny', rule: 'test', reason: `${subject} may not` }
            : { effect: 'allow', rule: 'test', reason: '' },
        goesOn: (session) => !over.has(session),
        show: (text) => text,
        now: () => world.now,
        onError: (error) => {
          throw error;
        },
      });
      let closed = false;
      const one = {
        ...{ desk, store },
        close: async () => {
          if (closed) return;
          closed = true;
          desk.close();
          await store.close();
        },
      };
      opened.push(one);
      return one;
    },
    close: async () => {
      for (const one of opened) await one.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
  return world;
}

export const principal = (subject: string): Principal => ({
  ...{ subject, tokenId: 't', administrator: false },
  claims: { teams: [] },
  scope: WHOLE_SCOPE,
});

/** A call of `user:dev`; equal names are equal calls. */
export const askFor = (name: string, more: Partial<Ask> & { readonly session?: string } = {}): Ask => ({
  binding: `binding ${name}`,
  family: 'family',
  subject: 'user:dev',
  expires: 60_000,
  ...more,
  content: {
    ...{ source: 'mcp', model: null, runId: null, traceId: '0', server: 'toolgate:prod:mongo' },
    ...{ serverId: 'prod:mongo', group: 'prod', session: more.session ?? null, tool: 'deleteCollection' },
    ...{ description: null, arguments: {}, diffs: [], reason: 'why', rule: 'r' },
    ...{ approvers: [], fourEyes: true, destructive: false },
  },
});

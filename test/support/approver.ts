import { vi } from 'vitest';
import { approvalListSchema, type ApprovalView } from '../../gateway/contract/approvals.ts';
import type { ApiAnswer, People } from './people.ts';

/** People who look at what waits for approval, and decide it. */
export interface Approver {
  /** What somebody sees; `query` with its question mark. */
  pending(who: string, query?: string): Promise<ApprovalView[]>;
  decide(who: string, id: string, verdict: 'approve' | 'deny', body?: unknown): Promise<ApiAnswer>;
  /** The call on this database, once it waits; without one, any call. */
  waitFor(who: string, database?: string): Promise<ApprovalView>;
}

/** `people` is asked for when it is needed: a test has them once its gateway runs. */
export function createApprover(people: () => People): Approver {
  const pending: Approver['pending'] = async (who, query = '') =>
    approvalListSchema.parse((await people().api(who, 'GET', `/approvals${query}`)).body).approvals;
  return {
    pending,
    decide: (who, id, verdict, body = {}) => people().api(who, 'POST', `/approvals/${id}/${verdict}`, body),
    waitFor: (who, database) =>
      vi.waitFor(
        async () => {
          const one = (await pending(who)).find(
            ({ arguments: args }) => database === undefined || args['database'] === database,
          );
          if (one === undefined) throw new Error('nothing waits yet');
          return one;
        },
        { timeout: 10_000 },
      ),
  };
}

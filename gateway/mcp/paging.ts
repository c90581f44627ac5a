import * as z from 'zod';
import type { KeptResults } from '../bounds/kept-results.ts';
import { READ_RESULT_TOOL, readResultSchema } from '../contract/read-result.ts';
import type { Principal } from '../identity/principal.ts';
import { CODES } from './jsonrpc.ts';
import type { View, Views } from './scope.ts';

/**
 * Views with the tool that reads on in large results, while any rule hands them out in pages. What is read goes the way
 * of a call of the tool it came of.
 */
export function withPaging(views: Views, kept: KeptResults, paging: () => boolean): Views {
  const made = new WeakMap<View, View>();
  return (principal, scope, offered) => {
    const view = views(principal, scope, offered);
    if (view === undefined || !paging()) return view;
    let paged = made.get(view);
    if (paged === undefined) made.set(view, (paged = pagedView(view, principal, kept)));
    return paged;
  };
}

function pagedView(view: View, principal: Principal, kept: KeptResults): View {
  const tools = [...view.tools, READ_RESULT_TOOL];
  return {
    ...view,
    tools,
    payloads: { ...view.payloads, 'tools/list': JSON.stringify({ tools }) },
    read: (given) => {
      const parsed = readResultSchema.safeParse(given);
      if (!parsed.success) return { code: CODES.invalidParams, message: z.prettifyError(parsed.error) };
      const result = kept.find(parsed.data.reference, principal.subject);
      if (result === undefined)
        return {
          code: CODES.invalidParams,
          message: `there is no result "${parsed.data.reference}" of yours: it is kept for ten minutes; call the tool again`,
        };
      const { serverId, tool: name, arguments: args } = result;
      return {
        target: { serverId, name, kind: 'tool' },
        params: { name, arguments: args },
        page: parsed.data,
      };
    },
  };
}

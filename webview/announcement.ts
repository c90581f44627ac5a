import type { Conversation } from './conversation.ts';
import { count, shortName } from './words.ts';

/** What a screen reader says of the newest step: calls and ends as they happen, the answer once it is whole. */
export function announcement(conversation: Conversation): string {
  const run = conversation.turns.at(-1)?.run;
  if (!run) return '';
  switch (run.status) {
    case 'running': {
      const call = run.items.findLast((item) => item.kind === 'tool');
      if (!call) return 'Running';
      const name =
        call.server === undefined ? call.function : `${call.tool ?? ''} of ${shortName(call.server)}`;
      const word = {
        arguments: 'is being prepared',
        running: 'is running',
        waiting: 'waits for approval',
        ok: 'has answered',
        error: 'failed',
        unanswered: 'has no result',
      };
      return `Tool ${name} ${word[call.status]}`;
    }
    case 'failed':
      // The notice in the timeline is an alert already.
      return '';
    case 'cancelled':
      return 'The run was cancelled.';
    case 'completed':
    case 'iteration_limit': {
      const answer = run.items.findLast((item) => item.kind === 'text')?.text ?? '';
      const end =
        run.status === 'completed' ? 'Completed' : `Stopped after ${count(run.iteration, 'iteration')}`;
      return `${end}. ${answer}`;
    }
  }
}

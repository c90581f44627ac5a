import { describe, expect, it } from 'vitest';
import { call, event, Player } from './player.ts';

describe('a run whose calls wait for approval', () => {
  it('P163 shows a call that waits for approval as such, and as running again once it is decided', () => {
    const asked = {
      id: 'apr_1',
      toolCallId: 'c1',
      server: 't:g:memory-mcp',
      tool: 'forget',
      url: 'http://x',
    };
    const player = new Player().send().receive(
      call(0, 'c1', 'memory-mcp__forget', '{}'),
      event({
        ...{ type: 'tool.approval_required', ...asked, message: 'It waits.', approvers: [], expiresAt: 1 },
      }),
    );
    expect(player.calls.map(({ status }) => status)).toEqual(['waiting']);
    player.receive(event({ type: 'tool.approval_resolved', ...asked, verdict: 'approved', by: 'user:ann' }));
    expect(player.calls.map(({ status }) => status)).toEqual(['running']);
    expect(player.run.items.find((item) => item.kind === 'approval')).toMatchObject({
      ...{ status: 'approved', by: 'user:ann' },
    });
  });

  it('a call that still waits when its run ends has no result', () => {
    const asked = { id: 'apr_1', toolCallId: 'c1', server: 't:g:s', tool: 'x', url: 'http://x' };
    const player = new Player()
      .send()
      .receive(
        call(0, 'c1', 's__x', '{}'),
        event({
          ...{ type: 'tool.approval_required', ...asked, message: 'It waits.', approvers: [], expiresAt: 1 },
        }),
      )
      .close('gone');
    expect(player.calls.map(({ status }) => status)).toEqual(['unanswered']);
  });
});

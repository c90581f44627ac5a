import assert from 'node:assert/strict';
import type { BudgetAlert } from '../../../gateway/contract/limits.ts';
import { eventually, internals, running } from './support.ts';

export function budgetsSuite(): void {
  describe('budgets', () => {
    it('are told of when so much is spent', async () => {
      await running();
      const { controller, feed } = await internals();
      const alerts: BudgetAlert[] = [];
      const listening = feed.onDidAlert((alert) => alerts.push(alert));
      const messages = [{ role: 'user', content: 'Tell me what you can do. '.repeat(40) }];
      const run = { model: 'demo/planner', stream: false, messages, metadata: { probe: 'yes' } };
      await controller.client?.json('POST', '/api/llm/agent/responses', run);
      const alert = await eventually('an alert', () => alerts[0]);
      listening.dispose();
      assert.deepEqual([alert.policy, alert.percent, alert.unit], ['probe-day', 1, 'tokens']);
      assert.ok(alert.used >= 50);
    });
  });
}

import type { ChatMessage, ToolCall } from '../gateway/contract/agent.ts';
import type { Conversation, Item, ToolCallItem, Turn } from './conversation.ts';

/**
 * The conversation as OpenAI chat messages, for the next request. A tool call that never got its result is left
 * out, since providers refuse a call without an answer.
 */
export function transcript(conversation: Conversation): ChatMessage[] {
  return conversation.turns.flatMap(turnMessages);
}

function turnMessages(turn: Turn): ChatMessage[] {
  const messages: ChatMessage[] = [{ role: 'user', content: turn.prompt }];
  const iterations = new Set(turn.run.items.map((item) => item.iteration));
  for (const iteration of iterations) {
    messages.push(...iterationMessages(turn.run.items.filter((item) => item.iteration === iteration)));
  }
  return messages;
}

function iterationMessages(items: readonly Item[]): ChatMessage[] {
  const text = items.map((item) => (item.kind === 'text' ? item.text : '')).join('');
  const answered = items.filter(
    (item): item is ToolCallItem & { result: string } => item.kind === 'tool' && item.result !== undefined,
  );
  if (text === '' && answered.length === 0) return [];
  const calls = answered.map((item): ToolCall => ({
    id: item.callId,
    type: 'function',
    function: { name: item.function, arguments: item.arguments === '' ? '{}' : item.arguments },
  }));
  return [
    { role: 'assistant', content: text === '' ? null : text, ...(calls.length > 0 && { tool_calls: calls }) },
    ...answered.map((item) => ({
      role: 'tool' as const,
      tool_call_id: item.callId,
      content: item.result,
    })),
  ];
}

import { describe, expect, it } from 'vitest';
import { EMPTY_CONVERSATION, reduce, runningTurn } from '../../../webview/conversation.ts';
import { transcript } from '../../../webview/transcript.ts';
import {
  call,
  chunk,
  created,
  delta,
  DONE,
  iteration,
  kinds,
  piece,
  Player,
  result,
  runDone,
  text,
} from './player.ts';

describe('a run as the page shows it', () => {
  it('begins with what run.created says', () => {
    const { run } = new Player().send().receive(created);
    expect(run).toMatchObject({ status: 'running', runId: 'run_1', iterationLimit: 5, iteration: 0 });
    expect(run.omitted).toEqual([
      { server: 't:common:calculator-mcp', tool: 'odd', reason: 'name too long' },
    ]);
  });

  it('P127 joins assistant tokens that follow each other into one text', () => {
    const { run } = new Player()
      .send()
      .receive(created, iteration(1), text('The '), text('sum'), text(' is 5.'));
    expect(run.items).toEqual([
      { kind: 'iteration', iteration: 1 },
      { kind: 'text', iteration: 1, text: 'The sum is 5.' },
    ]);
  });

  it('P128 shows a call from its name on, and its arguments as they grow', () => {
    const player = new Player().send().receive(created, iteration(1), call(0, 'c1', 'calculator-mcp__add'));
    expect(player.calls[0]).toMatchObject({
      server: 't:common:calculator-mcp',
      tool: 'add',
      arguments: '',
      status: 'arguments',
    });
    player.receive(piece(0, '{"a":'), piece(0, '2,"b'));
    expect(player.calls[0]).toMatchObject({ arguments: '{"a":2,"b', status: 'arguments' });
    player.receive(piece(0, '":3}'));
    expect(player.calls[0]).toMatchObject({
      arguments: '{"a":2,"b":3}',
      status: 'running',
      runningSince: 1060,
    });
  });

  it('does not take the end of an inner object for the end of the arguments', () => {
    const player = new Player().send().receive(created, iteration(1), call(0, 'c1', 'f', '{"a":{"b":1}'));
    expect(player.calls[0]?.status).toBe('arguments');
    player.receive(piece(0, '}'));
    expect(player.calls[0]?.status).toBe('running');
  });

  it('a call without arguments runs once the model has finished its message', () => {
    const player = new Player().send().receive(created, iteration(1), call(0, 'c1', 'f'));
    expect(player.calls[0]?.status).toBe('arguments');
    player.receive(delta({}, 'tool_calls'));
    expect(player.calls[0]?.status).toBe('running');
  });

  it('P129 puts a result on its call, with the server’s facts', () => {
    const { calls } = new Player()
      .send()
      .receive(created, iteration(1), call(0, 'c1', 'calculator-mcp__add', '{"a":2,"b":3}'))
      .receive(result('c1', '5', { tool: 'add' }));
    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatchObject({ status: 'ok', result: '5', durationMs: 3.5, tool: 'add' });
  });

  it('keeps a failed tool as a result of the run, not as its end', () => {
    const player = new Player()
      .send()
      .receive(created, iteration(1), call(0, 'c1', 'f', '{}'))
      .receive(result('c1', 'no such file', { tool: 'read', isError: true }));
    expect(player.calls[0]).toMatchObject({ status: 'error', result: 'no such file' });
    expect(player.run.status).toBe('running');
  });

  it('keeps parallel calls apart while their arguments interleave, and takes results in any order', () => {
    const player = new Player()
      .send()
      .receive(
        created,
        iteration(1),
        call(0, 'c1', 'calculator-mcp__add'),
        call(1, 'c2', 'calculator-mcp__multiply'),
      )
      .receive(piece(0, '{"a":1'), piece(1, '{"a":7'), piece(0, '}'), piece(1, '}'));
    expect(player.calls.map((item) => item.arguments)).toEqual(['{"a":1}', '{"a":7}']);
    player.receive(result('c2', 'second', { tool: 'multiply' }));
    expect(player.calls.map((item) => item.status)).toEqual(['running', 'ok']);
    player.receive(result('c1', 'first', { tool: 'add' }));
    expect(player.calls.map((item) => item.result)).toEqual(['first', 'second']);
  });

  it('tells calls of the same index in different iterations apart', () => {
    const { calls } = new Player()
      .send()
      .receive(created, iteration(1), call(0, 'c1', 'f', '{"a":1}'), result('c1', 'r1', { tool: 'f' }))
      .receive(iteration(2), call(0, 'c2', 'g'), piece(0, '{"b":2}'), result('c2', 'r2', { tool: 'g' }));
    expect(calls.map((item) => [item.iteration, item.arguments, item.result])).toEqual([
      [1, '{"a":1}', 'r1'],
      [2, '{"b":2}', 'r2'],
    ]);
  });

  it('a call whose id is repeated with every piece stays one call', () => {
    const { calls } = new Player()
      .send()
      .receive(created, iteration(1), call(0, 'c1', 'f', '{"a"'), call(0, 'c1', 'f', ':1}'));
    expect(calls.map((item) => item.arguments)).toEqual(['{"a":1}']);
  });

  it('P130 keeps text, calls and results in the order they came', () => {
    const { run } = new Player()
      .send()
      .receive(created, iteration(1), text('First I add.'), call(0, 'c1', 'f', '{}'))
      .receive(result('c1', '5', { tool: 'f' }), iteration(2), text('The answer is 5.'));
    expect(kinds(run.items)).toEqual(['iteration', 'text', 'tool', 'iteration', 'text']);
  });

  it('ends with the numbers of run.done and the usage of the last chunk', () => {
    const usage = { prompt_tokens: 10, completion_tokens: 4, total_tokens: 14 };
    const { run } = new Player()
      .send()
      .receive(created, text('5'), chunk({ usage }), runDone('completed'), DONE);
    expect(run).toMatchObject({
      status: 'completed',
      usage,
      iteration: 2,
      toolCalls: 1,
      durationMs: 120,
      timeToFirstTokenMs: 8,
    });
    expect(run.error).toBeUndefined();
  });

  it('says that the iteration limit ended it', () => {
    expect(new Player().send().receive(created, runDone('iteration_limit'), DONE).run.status).toBe(
      'iteration_limit',
    );
  });

  it('completes on [DONE] also when no run.done came, with the time this page measured', () => {
    const { run } = new Player().send().receive(text('hello'), DONE);
    expect(run).toMatchObject({ status: 'completed', durationMs: 20 });
  });

  it('fails with the words of an error event, and leaves its open call unanswered', () => {
    const player = new Player()
      .send()
      .receive(created, iteration(1), call(0, 'c1', 'f', '{"a":'))
      .receive({ type: 'error', message: 'The provider answered 429; try again in 20 s.' })
      .close();
    expect(player.run).toMatchObject({
      status: 'failed',
      error: 'The provider answered 429; try again in 20 s.',
    });
    expect(player.calls[0]?.status).toBe('unanswered');
  });

  it('keeps the run’s own reason when an error event follows it', () => {
    const { run } = new Player()
      .send()
      .receive(created, runDone('failed', 'The model’s stream broke.'), { type: 'error', message: 'broken' });
    expect(run.error).toBe('The model’s stream broke.');
  });

  it('fails when the stream ends without [DONE], and says what to do', () => {
    const { run } = new Player().send().receive(created, text('half an ans')).close();
    expect(run.status).toBe('failed');
    expect(run.error).toMatch(/ended before the run was over.*Send the message again/);
    expect(run.items).toHaveLength(1);
  });

  it('fails with the host’s words when the request was refused', () => {
    const { run } = new Player().send().close('This token may not use the server git-mcp.');
    expect(run).toMatchObject({ status: 'failed', error: 'This token may not use the server git-mcp.' });
  });

  it('shows a stop at once, and as cancelled when the gateway confirms it', () => {
    const player = new Player()
      .send()
      .receive(created, call(0, 'c1', 'f', '{}'))
      .stop();
    expect(player.run).toMatchObject({ status: 'running', stopping: true });
    player.receive(runDone('cancelled'), DONE).close();
    expect(player.run).toMatchObject({ status: 'cancelled', stopping: false });
    expect(player.calls[0]?.status).toBe('unanswered');
  });

  it('a stopped run whose stream just ends is cancelled, not failed', () => {
    expect(new Player().send().receive(created).stop().close('aborted').run).toMatchObject({
      status: 'cancelled',
    });
  });

  it('stays as it is after its end', () => {
    const player = new Player().send().receive(created, text('5'), runDone('completed'), DONE);
    const before = player.run;
    player.receive(DONE).stop().close('too late');
    expect(player.run).toEqual(before);
  });

  it('passes over events it does not know, results of calls it never saw, and other turns', () => {
    const player = new Player().send().receive(created);
    const before = player.conversation;
    player.receive({ type: 'skipped' }, result('nobody', 'x', { tool: 'f' }));
    expect(player.run.items).toEqual([]);
    expect(reduce(before, { type: 'closed', turn: 99, at: 0 })).toEqual(before);
  });

  it('names the running turn, and none when all are over', () => {
    const player = new Player().send();
    expect(runningTurn(player.conversation)?.id).toBe(1);
    player.receive(DONE);
    expect(runningTurn(player.conversation)).toBeUndefined();
    expect(runningTurn(EMPTY_CONVERSATION)).toBeUndefined();
  });
});

describe('the conversation as messages of the next request', () => {
  it('repeats prompts, calls, results and answers in OpenAI’s form', () => {
    const { conversation } = new Player()
      .send('Add 2 and 3')
      .receive(created, iteration(1), text('I add.'), call(0, 'c1', 'calculator-mcp__add', '{"a":2,"b":3}'))
      .receive(result('c1', '5', { tool: 'add' }), iteration(2), text('It is 5.'), runDone('completed'), DONE)
      .send('And again');
    expect(transcript(conversation)).toEqual([
      { role: 'user', content: 'Add 2 and 3' },
      {
        role: 'assistant',
        content: 'I add.',
        tool_calls: [
          {
            id: 'c1',
            type: 'function',
            function: { name: 'calculator-mcp__add', arguments: '{"a":2,"b":3}' },
          },
        ],
      },
      { role: 'tool', tool_call_id: 'c1', content: '5' },
      { role: 'assistant', content: 'It is 5.' },
      { role: 'user', content: 'And again' },
    ]);
  });

  it('leaves out calls that were never answered, and a run that said nothing', () => {
    const { conversation } = new Player()
      .send('Stop early')
      .receive(created, iteration(1), call(0, 'c1', 'f', '{}'), call(1, 'c2', 'g'))
      .receive(result('c2', 'done', { tool: 'g' }))
      .stop()
      .close()
      .send('Fail')
      .close('refused');
    expect(transcript(conversation)).toEqual([
      { role: 'user', content: 'Stop early' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'c2', type: 'function', function: { name: 'g', arguments: '{}' } }],
      },
      { role: 'tool', tool_call_id: 'c2', content: 'done' },
      { role: 'user', content: 'Fail' },
    ]);
  });
});

import { describe, expect, it } from 'vitest';
import { createStreams, type Outlet } from '../../../gateway/mcp/streams.ts';

interface TestOutlet extends Outlet {
  readonly written: string[];
  ended: boolean;
}

function outlet(): TestOutlet {
  const one: TestOutlet = {
    written: [],
    ended: false,
    write: (text) => void one.written.push(text),
    end: () => {
      one.ended = true;
    },
  };
  return one;
}

const dataOf = ({ written }: TestOutlet): string[] =>
  written.flatMap((text) => /^data: (.+)$/m.exec(text)?.[1] ?? []);
const idOf = (text: string | undefined): string => /^id: (.*)$/m.exec(text ?? '')?.[1] ?? '';

describe('streams of a session', () => {
  it('number their events, so that a resumed one goes on where it broke', () => {
    const streams = createStreams({ used: 0 }, true);
    const first = outlet();
    const stream = streams.answer(first);
    stream.send('one');
    stream.send('two');
    streams.gone(first);
    stream.finish('three');
    const second = outlet();
    expect(streams.resume(idOf(first.written[1]), second)).toBe(true);
    expect(dataOf(second)).toEqual(['two', 'three']);
    expect(second.ended).toBe(true);
    expect(first.written[0]).toBe('retry: 1000\nid: 1-0\ndata: \n\n');
  });

  it('go on live on the outlet that resumed them', () => {
    const streams = createStreams({ used: 0 }, true);
    const stream = streams.answer(outlet());
    stream.open();
    const second = outlet();
    expect(streams.resume('1-0', second)).toBe(true);
    stream.send('one');
    expect(dataOf(second)).toEqual(['one']);
    expect(second.ended).toBe(false);
  });

  it.each(['', '1', '9-0', '1-5', '-1-0', '1-0; 2', 'x'])('refuse to resume after %j', (id) => {
    const streams = createStreams({ used: 0 }, true);
    streams.answer(outlet()).send('one');
    expect(streams.resume(id, outlet())).toBe(false);
  });

  it('never replay what came on another stream', () => {
    const streams = createStreams({ used: 0 }, true);
    const [one, other] = [streams.answer(outlet()), streams.answer(outlet())];
    one.send('mine');
    other.send('theirs');
    one.finish('my end');
    const again = outlet();
    streams.resume('1-0', again);
    expect(dataOf(again)).toEqual(['mine', 'my end']);
  });

  it('leave a response alone when nothing was sent on it', () => {
    const streams = createStreams({ used: 0 }, true);
    const one = outlet();
    streams.answer(one).drop();
    expect(one.written).toEqual([]);
    expect(one.ended).toBe(false);
    expect(streams.resume('1-0', outlet())).toBe(false);
  });

  it('carry what belongs to a request on the newest one, else to the listener', () => {
    const streams = createStreams({ used: 0 }, false);
    expect(streams.deliver('nobody hears')).toBe(false);
    const listener = outlet();
    streams.listen(listener);
    expect(streams.deliver('to the listener')).toBe(true);
    const [older, newer] = [outlet(), outlet()];
    streams.answer(older);
    const last = streams.answer(newer);
    streams.deliver('to the newest');
    streams.announce('to the listener too');
    last.finish('done');
    streams.deliver('to the older');
    expect(dataOf(listener)).toEqual(['to the listener', 'to the listener too']);
    expect(dataOf(newer)).toEqual(['to the newest', 'done']);
    expect(dataOf(older)).toEqual(['to the older']);
    expect(last.send('too late')).toBe(false);
  });

  it('give the place of the listener to the latest, and keep what it missed', () => {
    const streams = createStreams({ used: 0 }, true);
    const [first, second] = [outlet(), outlet()];
    streams.listen(first);
    streams.announce('one');
    streams.gone(first);
    expect(streams.listening()).toBe(false);
    expect(streams.announce('two')).toBe(true);
    streams.resume(idOf(first.written.at(-1)), second);
    expect(dataOf(second)).toEqual(['two']);
    expect(streams.listening()).toBe(true);
    streams.listen(first);
    expect(second.ended).toBe(true);
  });

  it('keep a bounded number of events and of characters, and give them back at the end', () => {
    const budget = { used: 0 };
    const streams = createStreams(budget, true);
    const stream = streams.answer(outlet());
    for (let count = 0; count < 1_000; count++) stream.send('x'.repeat(100));
    const kept = budget.used;
    expect(kept).toBeLessThan(256 * 200);
    stream.send('y'.repeat(2 * 1024 * 1024));
    expect(budget.used).toBe(kept);
    for (let count = 0; count < 10; count++) stream.send('z'.repeat(300 * 1024));
    expect(budget.used).toBeLessThan(1024 * 1024);
    const other = createStreams(budget, true);
    other.answer(outlet()).send('mine');
    other.close();
    streams.close();
    expect(budget.used).toBe(0);
  });

  it('keep nothing more once all sessions together are over the limit', () => {
    const budget = { used: 64 * 1024 * 1024 };
    const streams = createStreams(budget, true);
    streams.answer(outlet()).send('one');
    expect(budget.used).toBe(64 * 1024 * 1024);
  });
});

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { askFor, createWorld, principal, type World } from './world.ts';

/** P65 P146 The law of approvals, on the real store: what was approved lets one call through, and is not lost. */
const carol = principal('user:carol');
let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.close());

const approve = { verdict: 'approved', via: 'api' } as const;
const deny = { verdict: 'denied', via: 'api' } as const;

describe('an approval', () => {
  it('lets one call through, however many try at however many gateways, and whichever of them are started anew', async () => {
    const plan = fc.record({
      /** Of each call: at which gateway, and for which approvals. */
      tries: fc.array(
        fc.record({
          at: fc.integer({ min: 0, max: 1 }),
          /** How many steps later than the first it begins: calls meet between any two steps of each other. */
          after: fc.nat({ max: 8 }),
          needs: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 }),
        }),
        { minLength: 1, maxLength: 12 },
      ),
      approved: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1 }),
      restarts: fc.uniqueArray(fc.integer({ min: 0, max: 11 }), { maxLength: 2 }),
    });
    let count = 0;
    await fc.assert(
      fc.asyncProperty(plan, async ({ tries, approved, restarts }) => {
        const prefix = `${count++} `;
        const ask = (name: string) => askFor(prefix + name, { family: prefix + name });
        const gateways = [await world.open(), await world.open()] as const;
        const [{ desk }] = gateways;
        for (const name of approved) await desk.decide(carol, (await desk.open(ask(name))).id, approve);
        const passed: string[][] = [];
        const running = tries.map(async ({ at, after, needs }, index) => {
          for (let step = 0; step < after; step++) await Promise.resolve();
          const gateway = restarts.includes(index) ? await world.open() : gateways[at];
          if ((await gateway?.desk.pass(needs.map(ask))) !== undefined) passed.push(needs);
        });
        await Promise.all(running);
        const spent = passed.flat();
        expect(new Set(spent).size).toBe(spent.length);
        expect(approved).toEqual(expect.arrayContaining(spent));
        // Whatever was not spent by a call that went through is there for the next.
        for (const name of approved) expect(await desk.mayPass(ask(name))).toBe(!spent.includes(name));
        // A call whose every approval was there and still is would have gone through.
        for (const { needs } of tries)
          expect(needs.every((name) => approved.includes(name) && !spent.includes(name))).toBe(false);
        for (const gateway of gateways) await gateway.close();
      }),
      { numRuns: 80 },
    );
  }, 30_000);

  it('is not lost when a call needs two and one of them is taken', async () => {
    const { desk } = await world.open();
    const [group, all] = [askFor('group'), askFor('all', { family: 'other' })];
    for (const ask of [group, all]) await desk.decide(carol, (await desk.open(ask)).id, approve);
    const racing = await Promise.all([desk.pass([group, all]), desk.pass([all]), desk.pass([group, all])]);
    expect(racing.filter((passed) => passed !== undefined)).toHaveLength(1);
    const left = await Promise.all([group, all].map((ask) => desk.mayPass(ask)));
    expect(left).toEqual(racing[1] === undefined ? [false, false] : [true, false]);
  });

  it('is taken with all the others that are wanted, or not at all', async () => {
    const { desk, store } = await world.open();
    const ids: string[] = [];
    for (const name of ['a', 'b']) {
      const { id } = await desk.open(askFor(name));
      await desk.decide(carol, id, approve);
      ids.push(id);
    }
    const [a = '', b = ''] = ids;
    const wanted = (approvals: string[], grants: string[] = []) =>
      store.take({ approvals, grants }, world.now);
    expect(await wanted([a, 'apr_none'])).toBe(false);
    expect(await wanted([a, b], ['grant_none'])).toBe(false);
    expect(await wanted([b])).toBe(true);
    expect(await wanted([a, b])).toBe(false);
    expect(await wanted([b, a])).toBe(false);
    expect(await wanted([a])).toBe(true);
  });

  it('is asked for once by equal calls at two gateways', async () => {
    const [one, other] = [await world.open(), await world.open()];
    const opened = await Promise.all(
      Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? one : other).desk.open(askFor('same'))),
    );
    expect(new Set(opened.map(({ id }) => id)).size).toBe(1);
  });

  it('counts no more once its time is over, nor when nobody has looked through them since', async () => {
    const { desk, store } = await world.open();
    const record = await desk.open(askFor('late'));
    await desk.decide(carol, record.id, approve);
    world.now += 59_999;
    expect(await desk.mayPass(askFor('late'))).toBe(true);
    world.now += 1;
    expect(await desk.mayPass(askFor('late'))).toBe(false);
    expect(await desk.pass([askFor('late')])).toBeUndefined();
    expect((await store.expire(world.now)).map(({ id }) => id)).toEqual([record.id]);
    expect(await desk.get(record.id)).toMatchObject({ status: 'expired', decision: { by: 'user:carol' } });
    const again = await desk.open(askFor('late'));
    world.now += 60_000;
    await expect(desk.decide(carol, again.id, approve)).rejects.toThrow('its time is over');
  });

  it('counts no more once its approver may not approve, nor does what they let stand', async () => {
    const { desk } = await world.open();
    await desk.decide(carol, (await desk.open(askFor('once'))).id, approve);
    await desk.decide(carol, (await desk.open(askFor('minutes', { family: 'standing' }))).id, {
      ...approve,
      scope: { minutes: 5 },
    });
    const other = askFor('other arguments', { family: 'standing' });
    expect(await desk.pass([other])).toBeDefined();
    world.barred.add('user:carol');
    expect(await desk.pass([askFor('once')])).toBeUndefined();
    expect(await desk.pass([other])).toBeUndefined();
    const asked = await desk.open(askFor('once'));
    await desk.decide(principal('user:cem'), asked.id, approve);
    expect(await desk.pass([askFor('once')])).toEqual([asked.id]);
  });

  it('is kept back by a denial of that call, whatever stands', async () => {
    const { desk } = await world.open();
    await desk.decide(carol, (await desk.open(askFor('first'))).id, { ...approve, scope: { minutes: 5 } });
    const [standing] = await desk.grants();
    await desk.removeGrant(standing?.id ?? '');
    await desk.pass([askFor('first')]);
    await desk.decide(carol, (await desk.open(askFor('denied'))).id, { ...deny, reason: 'No.' });
    await desk.decide(carol, (await desk.open(askFor('second'))).id, { ...approve, scope: { minutes: 5 } });
    expect(await desk.mayPass(askFor('third'))).toBe(true);
    expect(await desk.pass([askFor('denied')])).toBeUndefined();
    expect(await desk.open(askFor('denied'))).toMatchObject({ status: 'denied' });
  });

  it('for a session is of no use to another', async () => {
    const { desk } = await world.open();
    const inside = (name: string) => askFor(name, { session: 's1' });
    await desk.decide(carol, (await desk.open(inside('first'))).id, { ...approve, scope: 'session' });
    expect(await desk.pass([inside('other')])).toBeDefined();
    for (const session of ['s2', undefined])
      expect(await desk.pass([askFor('other', { ...(session && { session }) })])).toBeUndefined();
    expect(await desk.pass([askFor('other', { session: 's1', family: 'another tool' })])).toBeUndefined();
    world.now += 8 * 60 * 60_000;
    expect(await desk.pass([inside('other')])).toBeUndefined();
  });
});

describe('what stands for a session', () => {
  const inside = askFor('first', { session: 's1' });

  it('is dropped when that does not go on, and told of; what stands for minutes stays until it expires', async () => {
    const { desk, store } = await world.open();
    await desk.decide(carol, (await desk.open(inside)).id, { ...approve, scope: 'session' });
    const minutes = askFor('minutes', { family: 'other' });
    await desk.decide(carol, (await desk.open(minutes)).id, { ...approve, scope: { minutes: 5 } });
    const sweep = () => store.sweepGrants(world.now, (session) => !world.over.has(session));
    const left = async () => (await desk.grants()).map(({ lasts }) => lasts);
    expect(await sweep()).toBe(false);
    expect((await left()).sort()).toEqual([null, 'session']);
    const told = new Promise((resolve) => desk.onChange((record) => record ?? resolve('told')));
    world.over.add('s1');
    expect(await told).toBe('told');
    expect(await left()).toEqual([null]);
    world.now += 5 * 60_000;
    expect(await sweep()).toBe(true);
    world.now -= 1;
    expect(await left()).toEqual([]);
  });

  it('cannot be given any more when that is over; the call itself can be approved', async () => {
    const { desk } = await world.open();
    const record = await desk.open(inside);
    expect(desk.lasts(record)).toBe('session');
    world.over.add('s1');
    expect(desk.lasts(record)).toBeNull();
    const late = desk.decide(carol, record.id, { ...approve, scope: 'session' });
    await expect(late).rejects.toMatchObject({
      kind: 'unfit',
      message:
        'the session that made the call is over, so that nothing can stand for it; approve it once, or for minutes',
    });
    expect(await desk.get(record.id)).toMatchObject({ status: 'pending' });
    expect(await desk.decide(carol, record.id, approve)).toMatchObject({ status: 'approved' });
    expect(await desk.grants()).toEqual([]);
  });

  it('tells of its uses once in a while, however many there are', async () => {
    const { desk } = await world.open();
    await desk.decide(carol, (await desk.open(inside)).id, { ...approve, scope: 'session' });
    await desk.pass([inside]);
    let told = 0;
    desk.onChange((record) => (told += record === undefined ? 1 : 0));
    for (let index = 0; index < 20; index++) await desk.pass([askFor(`call ${index}`, { session: 's1' })]);
    await expect.poll(() => told, { timeout: 5_000 }).toBeGreaterThan(0);
    expect(told).toBeLessThan(10);
    expect(await desk.grants()).toMatchObject([{ uses: 20 }]);
  });
});

describe('what waits', () => {
  it('is bounded for each caller, and for all', async () => {
    const { desk } = await world.open();
    const ask = (caller: number, index: number) =>
      askFor(`${caller} ${index}`, { subject: `user:${caller}` });
    for (let index = 0; index < 50; index++) await desk.open(ask(0, index));
    await expect(desk.open(ask(0, 50))).rejects.toThrow('50 calls of user:0 wait for approval already');
    expect(await desk.open(ask(0, 7))).toMatchObject({ status: 'pending' });
    for (let caller = 1; caller < 20; caller++)
      for (let index = 0; index < 50; index++) await desk.open(ask(caller, index));
    await expect(desk.open(ask(20, 0))).rejects.toMatchObject({ kind: 'full' });
    world.now += 60_000;
    expect(await desk.open(ask(20, 0))).toMatchObject({ status: 'pending' });
  }, 30_000);

  it('is deleted when it has been over for long, and no denial before it expires', async () => {
    const { desk, store } = await world.open();
    const ask = askFor('long', { expires: 1_000_000 });
    const { id } = await desk.open(ask);
    await desk.decide(carol, id, deny);
    world.now += 500_000;
    await store.purge(world.now - 1);
    expect(await desk.open(ask)).toMatchObject({ id, status: 'denied' });
    await store.purge(world.now + 500_001);
    expect(await desk.get(id)).toBeUndefined();
  });
});

import type { CounterStore, KeptCounter } from './contracts.ts';
import { openSqliteFile } from './sqlite-file.ts';

/** A `CounterStore` in one SQLite file of mode 600. `onError` hears of a disk that fails; counting goes on. */
export function openCounterStore(file: string, onError: (error: unknown) => void): CounterStore {
  const database = openSqliteFile(file, 'normal');
  database.exec(
    'create table if not exists counters (key text, window text, slots text, primary key (key, window))',
  );
  const put = database.prepare('insert or replace into counters (key, window, slots) values (?, ?, ?)');
  const drop = database.prepare('delete from counters where key = ? and window = ?');
  return {
    all: () =>
      database
        .prepare('select key, window, slots from counters')
        .all()
        .map(({ key, window, slots }) => ({
          key: String(key),
          window: JSON.parse(String(window)) as KeptCounter['window'],
          slots: JSON.parse(String(slots)) as KeptCounter['slots'],
        })),
    save: (counters) => {
      try {
        database.exec('begin');
        for (const { key, window, slots } of counters) {
          if (slots.length === 0) drop.run(key, JSON.stringify(window));
          else put.run(key, JSON.stringify(window), JSON.stringify(slots));
        }
        database.exec('commit');
      } catch (error) {
        if (database.isTransaction) database.exec('rollback');
        onError(error);
      }
    },
    close: () => database.close(),
  };
}

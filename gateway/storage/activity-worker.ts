import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import type { CallRecord } from '../contract/activity.ts';
import type { ActivityQuery } from './contracts.ts';
import { openActivityTable, type ActivityTable } from './sqlite-activity-table.ts';

/** What the thread is asked: the methods of an `ActivityTable`. Rows are JSON text: quicker to make than a clone. */
export type Order =
  | { readonly method: 'write'; readonly argument: string }
  | { readonly method: 'query'; readonly argument: ActivityQuery }
  | { readonly method: 'lastUse'; readonly argument: readonly string[] }
  | { readonly method: 'purge'; readonly argument: number }
  | { readonly method: 'close'; readonly argument?: undefined };

/** Its answer to the order of that number. */
export type Answer =
  { readonly id: number; readonly value: unknown } | { readonly id: number; readonly problem: string };

if (parentPort !== null) await serve(parentPort, workerData as string);

/** Ends with the order to close, since then nothing keeps the thread any more. */
async function serve(port: MessagePort, file: string): Promise<void> {
  const table = await openActivityTable(file);
  const obeyed = async ({ id, ...order }: Order & { readonly id: number }): Promise<void> => {
    let answer: Answer;
    try {
      answer = { id, value: await obey(table, order) };
    } catch (error) {
      answer = { id, problem: error instanceof Error ? error.message : String(error) };
    }
    port.postMessage(answer);
    if (order.method === 'close') port.close();
  };
  port.on('message', (order: Order & { readonly id: number }) => void obeyed(order));
}

function obey(table: ActivityTable, { method, argument }: Order): unknown {
  switch (method) {
    case 'write':
      table.write(JSON.parse(argument) as CallRecord[]);
      return undefined;
    case 'query':
      return table.query(argument);
    case 'lastUse':
      return table.lastUse(argument);
    case 'purge':
      return table.purge(argument);
    case 'close':
      return table.close();
  }
}

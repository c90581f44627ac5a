import { join } from 'node:path';

/** The files of a data folder. */
export function dataFiles(dataDir: string): {
  readonly config: string;
  readonly activity: string;
  readonly approvals: string;
  readonly runs: string;
  readonly counters: string;
  readonly secrets: string;
  /** A folder. */
  readonly catalog: string;
} {
  return {
    config: join(dataDir, 'config.json'),
    activity: join(dataDir, 'activity.sqlite'),
    approvals: join(dataDir, 'approvals.sqlite'),
    counters: join(dataDir, 'counters.sqlite'),
    runs: join(dataDir, 'runs.sqlite'),
    secrets: join(dataDir, 'secrets.enc'),
    catalog: join(dataDir, 'catalog'),
  };
}

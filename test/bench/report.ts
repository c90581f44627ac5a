import type { Measured } from './generator.ts';
import type { Path, PathName, Transport } from './path.ts';

/** How the paths are called. */
export interface Load {
  readonly name: string;
  readonly sessions: number;
  readonly rate?: number;
}

export const ONE: Load = { name: '1 session', sessions: 1 };
export const MANY: Load = { name: '32 sessions', sessions: 32 };
export const CROWD: Load = { name: '256 sessions', sessions: 256 };
/** The rate at which the budget states what latency the gateway may add. */
export const STEADY: Load = { name: '350 calls/s', sessions: 32, rate: 350 };
export const LOADS: readonly Load[] = [ONE, MANY, CROWD, STEADY];

/** The medians of one path under one load. */
export interface Row extends Measured {
  readonly transport: Transport;
  readonly load: string;
  readonly path: PathName;
}

/** A promise of the product's about its speed, and what was measured. */
export interface Verdict {
  readonly budget: string;
  readonly measured: string;
  readonly met: boolean;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle) - 1] ?? NaN)) / 2;
}

/** One row of the repeated measurements of a path under a load. */
export function summarise(path: Path, load: Load, repeats: readonly Measured[]): Row {
  const of = (name: keyof Measured): Partial<Measured> => {
    const values = repeats.map((measured) => measured[name]).filter((value) => value !== undefined);
    return values.length === 0 ? {} : { [name]: median(values) };
  };
  return {
    transport: path.transport,
    load: load.name,
    path: path.name,
    callsPerSecond: median(repeats.map((measured) => measured.callsPerSecond)),
    ...of('p50'),
    ...of('p99'),
    ...of('p999'),
    ...of('cpuPerCall'),
    ...of('rssMb'),
    ...of('processes'),
  };
}

const HEADER = [
  'upstream',
  'load',
  'path',
  'calls/s',
  '×',
  'CPU ms',
  '×',
  'p50 ms',
  'p99 ms',
  'p99.9 ms',
  'RSS MB',
  'proc.',
];

/** The rows as a Markdown table; the factors compare with the pass-through of the same load. */
export function renderTable(rows: readonly Row[]): string {
  const cells = rows.map((row) => {
    const base = find(rows, row.transport, row.load, 'pass-through');
    const factor = (a: number | undefined, b: number | undefined): string =>
      a === undefined || b === undefined ? '' : (a / b).toFixed(2);
    return [
      row.transport,
      row.load,
      row.path,
      row.callsPerSecond.toFixed(0),
      factor(row.callsPerSecond, base.callsPerSecond),
      row.cpuPerCall?.toFixed(3) ?? '',
      factor(row.cpuPerCall, base.cpuPerCall),
      row.p50?.toFixed(2) ?? '',
      row.p99?.toFixed(2) ?? '',
      row.p999?.toFixed(2) ?? '',
      row.rssMb?.toFixed(0) ?? '',
      row.processes?.toFixed(0) ?? '',
    ];
  });
  const width = HEADER.map((title, column) =>
    Math.max(...[title, ...cells.map((row) => row[column] ?? '')].map((cell) => cell.length)),
  );
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => (column < 3 ? cell.padEnd(width[column] ?? 0) : cell.padStart(width[column] ?? 0))).join(' | ')} |`;
  const rule = `| ${width.map((length, column) => (column < 3 ? '-'.repeat(length) : `${'-'.repeat(length - 1)}:`)).join(' | ')} |`;
  return [line(HEADER), rule, ...cells.map(line)].join('\n');
}

export const READING =
  'How to read it: × is the factor to the pass-through, the least a proxy can do, measured in the same run; ' +
  'compare factors, since all absolute numbers move with the machine. CPU ms is the CPU time of the proxy’s own process ' +
  'per call, without the upstream and the load generator, which share the machine’s cores with it; so CPU says more ' +
  'than calls/s. Latency includes the load generator’s own share, which the direct rows show; with 32 ' +
  'sessions that call without pause it is mostly waiting in line, so added latency is read from the 350 calls/s rows.';

/** Measures against the budget. What the platform cannot measure is left out. */
export function judge(
  rows: readonly Row[],
  gateway: { readonly readyMs: number; readonly idleRssMb: number | undefined },
): readonly Verdict[] {
  const row = (transport: Transport, load: Load, path: PathName): Row =>
    find(rows, transport, load.name, path);
  const most = (what: string, limit: number, value: number | undefined, unit: string): Verdict[] => {
    if (value === undefined) return [];
    const shown = value < 10 ? value.toFixed(2) : value.toFixed(0);
    return [
      { budget: `${what}: at most ${limit} ${unit}`, measured: `${shown} ${unit}`, met: value <= limit },
    ];
  };
  const factor = (what: string, limit: number, a: Row, b: Row): Verdict => {
    const value = a.callsPerSecond / b.callsPerSecond;
    return { budget: `${what}: at least ${limit}`, measured: value.toFixed(2), met: value >= limit };
  };
  const perTransport = (transport: Transport, cpuLimit: number): Verdict[] => {
    const gatewayRow = row(transport, MANY, 'toolgate');
    const p99 = (path: PathName): number => row(transport, STEADY, path).p99 ?? NaN;
    const added = p99('toolgate') - p99('direct');
    return [
      ...most(`CPU per call over ${transport}, 32 sessions`, cpuLimit, gatewayRow.cpuPerCall, 'ms'),
      factor(
        `calls/s over ${transport} against the pass-through`,
        0.5,
        gatewayRow,
        row(transport, MANY, 'pass-through'),
      ),
      ...most(`p99 over ${transport} at 350 calls/s, added to direct`, 3, added, 'ms'),
    ];
  };
  return [
    ...perTransport('stdio', 0.2),
    ...perTransport('http', 0.3),
    factor(
      'calls/s over http against the SDK proxy',
      8,
      row('http', MANY, 'toolgate'),
      row('http', MANY, 'sdk proxy'),
    ),
    ...most('idle memory of the gateway', 120, gateway.idleRssMb, 'MB'),
    ...most('start of the gateway until it answers', 1000, gateway.readyMs, 'ms'),
  ];
}

function find(rows: readonly Row[], transport: Transport, load: string, path: PathName): Row {
  const found = rows.find((row) => row.transport === transport && row.load === load && row.path === path);
  if (found === undefined) throw new Error(`no row for ${transport}, ${load}, ${path}`);
  return found;
}

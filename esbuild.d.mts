import type { BuildOptions } from 'esbuild';

export function programOptions(version: string): BuildOptions;

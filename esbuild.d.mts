import type { BuildOptions } from 'esbuild';

export function programOptions(version: string): BuildOptions;
export function copyProgramFiles(out: string): Promise<void>;

import type { BuildOptions } from 'esbuild';

export const LARGEST_PAGE: number;
export function buildPage(): Promise<string>;
export function bundle(entry: string, options?: BuildOptions): Promise<string>;

import type { ProductionPackage } from './production.mjs';

export const ALLOWED: readonly string[];
export const DOCUMENT: string;
export function isAllowed(expression?: string): boolean;
export function licencesText(packages?: readonly ProductionPackage[]): string;

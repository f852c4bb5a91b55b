export function sbomText(env?: Readonly<Record<string, string | undefined>>): string;

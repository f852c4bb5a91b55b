/** The cells of the rows below the heading of the table whose first column has this name. */
export function tableOf(document: string, column: string): string[][] {
  const lines = document.split('\n');
  const start = lines.findIndex((line) => line.startsWith('|') && cells(line)[0] === column);
  if (start < 0) throw new Error(`the document has no table that begins with ${column}`);
  const end = lines.findIndex((line, i) => i > start && !line.startsWith('|'));
  return lines.slice(start + 2, end < 0 ? undefined : end).map(cells);
}

function cells(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}
